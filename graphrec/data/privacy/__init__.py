"""What keeps persons out of a dataset while it is read: pseudonyms in place of user ids, and consent."""
