"""What the owner of a dataset should know before anything is trained, in plain sentences."""

from collections import Counter

from graphrec.data.check_report import CheckReport


def warnings_of(report: CheckReport) -> list[str]:
    """In plain sentences, what the counts mean for whoever wants to train on the data."""
    return [
        *_content_warnings(report),
        *_interaction_warnings(report),
        *_split_warnings(report),
        *_row_warnings(report),
    ]


def _content_warnings(report: CheckReport) -> list[str]:
    lines = []
    pictures = report.pictures.usable or report.pictures.named
    for what, coverage in (("title", report.titles), ("text", report.texts), ("usable picture", pictures)):
        if coverage.items == 0:
            lines.append(f"No item has a {what}.")
        elif coverage.items < report.items:
            lines.append(
                f"{_percent(1 - coverage.share)} of the items have no {what} ({report.items - coverage.items})."
            )
    for site in report.sites:
        if site.items and not site.texts and report.texts.items:
            lines.append(
                f"No item of site {site.name!r} has a text: its items meet the other sites' through pictures, "
                "attributes and same_as links alone. Name its title column (columns: {title: ...} under items: in "
                "dataset.yaml)."
            )
    for problem, count in report.pictures.problems.items():
        named = [example.path for example in report.pictures.examples if example.problem == problem][:3]
        lines.append(f"{_count(count, 'picture', 'pictures')} cannot be used: {problem} (such as {', '.join(named)}).")
    if report.items_without_content:
        lines.append(
            f"{_count(report.items_without_content, 'item has', 'items have')} no picture, text, attribute or vector: "
            "while they are new, nothing tells them apart."
        )
    if not report.attributes:
        lines.append("The items have no attributes.")
    for name, coverage in report.own_vectors.items():
        if coverage.items < report.items:
            lines.append(
                f"{_percent(1 - coverage.share)} of the items "
                f"have no own {name} vector ({report.items - coverage.items})."
            )
        if report.unknown_vector_ids[name]:
            number = _count(report.unknown_vector_ids[name], "vector belongs", "vectors belong")
            lines.append(f"{number} to no item of the catalogue (own {name} vectors).")
    return lines


def _interaction_warnings(report: CheckReport) -> list[str]:
    if report.events == 0:
        return ["There are no interactions: nothing can be learned from people, only content search works."]
    lines = []
    if report.first_event is None:
        lines.append("There are no timestamps: a temporal split is not possible.")
    elif report.events_without_time:
        lines.append(f"{_count(report.events_without_time, 'event has', 'events have')} no timestamp.")
    if report.events_in_the_future:
        lines.append(
            f"{_count(report.events_in_the_future, 'event lies', 'events lie')} in the future, up to "
            f"{report.last_event}: is the unit or the time zone right?"
        )
    if report.user_degree["1-2"] + report.user_degree["0"] == report.users and report.pairs <= report.users:
        lines.append("Every user has one item at most: there is nothing to learn from what people take together.")
    touched = report.items - report.cold_items
    if report.pairs < 3 * touched:
        lines.append(f"Very sparse: {report.pairs / touched:.1f} users per item that has any.")
    if report.cold_items == 0 and not report.splits:
        lines.append("Every item has interactions; evaluation holds some of them out as new items.")
    if len(report.sites) > 1 and report.shared_users == 0:
        how = "same_as links and content connect" if report.linked else "content connects"
        lines.append(f"No user has events on more than one site: only {how} the sites.")
    return lines


def _split_warnings(report: CheckReport) -> list[str]:
    lines = []
    for split in report.splits:
        if split.cold_pairs == 0:
            lines.append(f"Split {split.name} has no pair on a new item: it cannot measure cold start.")
        if split.new_users:
            lines.append(f"Split {split.name}: {split.new_users} of {split.users} users have no training event.")
    return lines


def _row_warnings(report: CheckReport) -> list[str]:
    rows: Counter[str] = Counter()
    for count in report.set_aside:
        rows[count.file] += count.rows
    return [
        f"{_count(number, 'problem', 'problems')} in {file}: see set_aside for rows and reasons."
        for file, number in rows.items()
    ]


def _percent(share: float) -> str:
    if share < 0.005:
        return "Less than 1 %"
    return "More than 99 %" if share > 0.995 else f"{100 * share:.0f} %"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
