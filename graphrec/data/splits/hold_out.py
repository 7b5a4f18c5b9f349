"""What `train` keeps back for `eval`, as settings."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field, PositiveInt, model_validator

from graphrec.data.dataset import Dataset, Split


class HoldOutConfig(BaseModel, extra="forbid", frozen=True):
    """What `train` keeps back for `eval`. Shares that the chosen way does not name are not looked at."""

    by: Literal["auto", "items", "fold", "time", "users", "pairs", "visitors", "site"] = "auto"
    """auto: the dataset's own split files where it brings some, otherwise `items`. items: `cold_items` at random and
    `warm_pairs` of the rest. fold: the items of one of `num_folds` folds, whole. time: everything from `date` on, or
    from where the youngest `cold_items` are born. users: `cold_users`, of whom `visible` is shown. pairs: `warm_pairs`.
    visitors: `cold_users` of the target site's users who are known elsewhere, encoded from what they did there. site:
    the target site's whole log, its users encoded from `visible` of theirs. Named, it leaves the dataset's split files
    shut."""
    cold_items: float = Field(default=0.2, ge=0, lt=1)
    """Share of the items with interactions that are held out whole; 0 holds out nothing at all."""
    warm_pairs: float = Field(default=0.1, ge=0, lt=1)
    """Share of the other (user, item) pairs that are held out."""
    fold: PositiveInt = 1
    """Which of the folds, counted from 1."""
    num_folds: int = Field(default=5, ge=2)
    date: datetime | None = None
    """Moment from which on everything is held out, such as 2024-05-31; UTC where no zone is named."""
    cold_users: float = Field(default=0.2, gt=0, lt=1)
    """Share of the users with at least two items that are held out whole."""
    visible: float = Field(default=0.8, gt=0, lt=1)
    """Share of a held-out user's items that an evaluation encodes them from; they are judged by the rest."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.date is not None and self.by != "time":
            raise ValueError(f"a date holds out by time: write by=time beside it, not by={self.by}")
        if self.fold > self.num_folds:
            raise ValueError(f"there is no fold {self.fold} of {self.num_folds}")
        return self


def hold_out(dataset: Dataset, config: HoldOutConfig, seed: int) -> Split | None:
    """The split that the settings describe, made at random where the dataset's files do not say; None for none.

    Raises GraphRecError in one line where the dataset does not allow it.
    """
    if config.by in ("auto", "items"):
        cold = config.cold_items
        return dataset.split_cold_items(cold, seed, config.warm_pairs) if cold else None
    if config.by == "fold":
        return dataset.cold_item_folds(config.num_folds, seed)[config.fold - 1]
    if config.by == "time":
        return dataset.split_by_time(config.cold_items, config.date)
    if config.by == "users":
        return dataset.split_cold_users(config.cold_users, config.visible, seed)
    if config.by == "visitors":
        return dataset.split_visitors(config.cold_users, seed)
    if config.by == "site":
        return dataset.split_site(config.visible, seed)
    return dataset.split_warm_pairs(config.warm_pairs, seed)
