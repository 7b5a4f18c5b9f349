import numpy as np
import pytest
from made_up_sites import catalogue_of, dataset_of, names


@pytest.fixture
def planted():
    """(dataset, the right pairs of ids): 90 of site a's 150 films are among b's 200, written with a typo or an article.

    Years agree, or are missing, or are one off.
    """
    rng = np.random.default_rng(5)
    titles = names(rng, 260)
    rows, years, right = [], [], set()
    for number, title in enumerate(titles[:150]):
        rows.append((f"a{number}", "a", title))
        years.append(1950 + number % 60)
    for number, title in enumerate(titles[60:]):
        place = int(rng.integers(2, len(title) - 2))
        shown = (title, f"The {title}", title[:place] + "x" + title[place:], f"{title}, The")[number % 4]
        rows.append((f"b{number}", "b", shown))
        year = 1950 + (60 + number) % 60
        years.append((year, np.nan, year, year + 1, year)[number % 5])
        if number < 90:
            right.add((f"a{60 + number}", f"b{number}"))
    return dataset_of(catalogue_of(rows, year=years)), right
