"""Search by text, picture and items: what joins the CLIP encoder, the clip index and the catalogue."""
