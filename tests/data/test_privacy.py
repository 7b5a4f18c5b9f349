"""Pseudonyms and consent while a dataset is read: what comes out, what can be linked, and what leaves no trace."""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer import BadParameter

from graphrec.cli.options import chosen_key
from graphrec.data.dataset import Dataset
from graphrec.data.fingerprint import fingerprint
from graphrec.data.privacy.consent import NO_CONSENT
from graphrec.data.privacy.key import SecretKey, write_new_key
from graphrec.data.privacy.lookup import ids_known
from graphrec.data.privacy.pseudonyms import Pseudonyms
from graphrec.data.privacy.settings import KeySource, PseudonymSettings
from graphrec.data.truth_file import read_truth
from graphrec.errors import GraphRecError

KEY = hashlib.sha256(b"a key for tests").hexdigest()
OTHER_KEY = hashlib.sha256(b"another").hexdigest()
ITEMS = "item_id,title\ni1,One\ni2,Two\ni3,Three\n"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)


def folder(tmp_path, interactions, yaml, **files: str):
    """A dataset folder; further files by name, with __ for the dot."""
    tmp_path.mkdir(exist_ok=True)
    texts = {"items.csv": ITEMS, "interactions.csv": interactions, "dataset.yaml": yaml}
    texts |= {name.replace("__", "."): text for name, text in files.items()}
    for name, text in texts.items():
        if text:
            (tmp_path / name).write_text(text)
    return tmp_path


def pseudonymous(scope="shop", version=1, more=""):
    return f"privacy: {{pseudonyms: {{scope: {scope}, version: {version}, key_env: TEST_KEY}}}}\n{more}"


def ids_of(dataset):
    return set(dataset.user_ids)


def twin(raw_id, scope="shop", version=1, key=KEY):
    """HMAC-SHA256 by its definition (RFC 2104), over each part with its length."""
    message = b""
    for part in (scope, str(version), raw_id):
        message += len(part.encode()).to_bytes(8, "big") + part.encode()
    block = bytes.fromhex(key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    digest = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()
    return f"u{version}_" + base64.b32encode(digest[:20]).decode().lower()


def test_the_twin_gives_the_published_digest():
    # RFC 4231, test case 2, which checks the two hashes that the twin above is made of.
    key, data = b"Jefe", b"what do ya want for nothing?"
    block = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + data).digest()
    digest = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()
    assert digest == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac.digest(key, data, "sha256").hex() == digest


def test_user_ids_are_read_as_keyed_pseudonyms(tmp_path):
    dataset = Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\nbert,i2\nanna,i3\n", pseudonymous()))
    assert dataset.user_ids.tolist() == [twin("anna"), twin("bert")]
    assert dataset.interactions.user_index_E.tolist() == [0, 1, 0]
    assert all(len(one.removeprefix("u1_")) == 32 for one in dataset.user_ids)  # 160 bits
    (note,) = [one for one in dataset.set_aside.notes if "pseudonyms" in one]
    assert "interactions.csv: users are read as pseudonyms (scope 'shop', version 1)" in note


def test_no_two_scopes_versions_and_ids_share_a_message():
    key = SecretKey(bytes.fromhex(KEY))
    near = [
        ("a", 1, "1b"),
        ("a", 11, "b"),
        ("a1", 1, "b"),
        ("a1", 11, "b"),
        ("", 1, "a1b"),
        ("a", 1, "b"),
        ("b", 1, "a"),
    ]
    made = {Pseudonyms(key, scope, version).of([raw])[0].partition("_")[2] for scope, version, raw in near}
    assert len(made) == len(near)


def test_two_sites_share_people_under_one_scope_and_not_under_two(tmp_path):
    sites = (
        "interactions:\n"
        "- {file: a.csv, site: A}\n"
        "- {file: b.csv, site: B%s}\n"
        "items: {file: items.csv}\n"
    )  # fmt: skip
    logs = {"a__csv": "user_id,item_id\nanna,i1\nbert,i2\n", "b__csv": "user_id,item_id\nanna,i2\ncora,i3\n"}
    shared = Dataset.load(folder(tmp_path / "one", "", pseudonymous(more=sites % ""), **logs))
    apart = Dataset.load(folder(tmp_path / "two", "", pseudonymous(more=sites % ", pseudonym_scope: b-alone"), **logs))
    assert ids_of(shared) == {twin("anna"), twin("bert"), twin("cora")}
    assert ids_of(apart) == {twin("anna"), twin("bert"), twin("anna", "b-alone"), twin("cora", "b-alone")}


@pytest.mark.parametrize(("shared", "num_people"), [("true", 3), ("false", 4)])
def test_sites_as_folders_share_people_only_where_they_say_so(tmp_path, shared, num_people):
    for name, log in (("a", "anna,i1\nbert,i2\n"), ("b", "anna,i2\ncora,i3\n")):
        folder(tmp_path / name, f"user_id,item_id\n{log}", "")
    sites = f"sites: {{a: {{folder: a, shared_users: {shared}}}, b: {{folder: b, shared_users: {shared}}}}}\n"
    (tmp_path / "dataset.yaml").write_text(pseudonymous(more=sites))
    dataset = Dataset.load(tmp_path)
    assert len(dataset.user_ids) == num_people
    assert (twin("anna") in ids_of(dataset)) == (shared == "true")
    assert (twin("a:anna") in ids_of(dataset)) == (shared == "false")
    key = KeySource(key_env="TEST_KEY")
    if shared == "true":
        assert ids_known(dataset, ["anna"], key) == [twin("anna")]
        return
    with pytest.raises(GraphRecError, match=r"'anna' is 2 people, .*each of them: a:anna, b:anna\.$"):
        ids_known(dataset, ["anna"], key)
    assert ids_known(dataset, ["b:anna", "cora"], key) == [twin("b:anna"), twin("b:cora")]


def test_somebody_without_a_prefix_is_told_from_a_namesake_by_pseudonym(tmp_path):
    yaml = pseudonymous(more="interactions: [{file: a.csv, site: A}, {file: b.csv, site: B, user_prefix: 'b:'}]\n")
    logs = {"a__csv": "user_id,item_id\n7,i1\n", "b__csv": "user_id,item_id\n7,i2\n"}
    dataset, key = Dataset.load(folder(tmp_path, "", yaml, **logs)), KeySource(key_env="TEST_KEY")
    with pytest.raises(GraphRecError, match=f"each of them: {twin('7')}, b:7"):
        ids_known(dataset, ["7"], key)
    assert ids_known(dataset, [twin("7"), "b:7"], key) == [twin("7"), twin("b:7")]


@pytest.mark.parametrize("columns", ["", ", {site: A, pseudonym_scope: a-alone}"])
def test_somebody_is_found_in_the_split_files_and_in_the_logs_beside_them(tmp_path, columns):
    yaml = pseudonymous(
        more="splits: {train: train.csv, valid: valid.csv}\n"
        f"interactions: [{{file: b.csv, site: B, pseudonym_scope: b-alone}}{columns}]\n"
    )
    log = "user_id,item_id\nanna,i1\nbert,i2\n"
    dataset = Dataset.load(folder(tmp_path, "", yaml, train__csv=log, valid__csv=log, b__csv=log))
    found = ids_known(dataset, ["anna"], KeySource(key_env="TEST_KEY"))
    assert sorted(found) == sorted([twin("anna", "a-alone" if columns else "shop"), twin("anna", "b-alone")])


def test_a_key_names_people_only_where_there_are_pseudonyms(tmp_path, monkeypatch):
    log = "user_id,item_id\nanna,i1\n"
    plain = Dataset.load(folder(tmp_path / "plain", log, ""))
    dataset = Dataset.load(folder(tmp_path / "hidden", log, pseudonymous()))
    key = KeySource(key_env="TEST_KEY")
    assert ids_known(plain, ["anna", "whoever"]) == ["anna", "whoever"]
    assert ids_known(dataset, [twin("anna")]) == [twin("anna")]
    with pytest.raises(GraphRecError, match="leave the key out"):
        ids_known(plain, ["anna"], key)
    with pytest.raises(GraphRecError, match=r"knows its users by pseudonyms \(u1_.*give --key-env NAME"):
        ids_known(dataset, ["anna"])
    with pytest.raises(GraphRecError, match="Unknown user 'bert': not in the run under this key"):
        ids_known(dataset, ["bert"], key)
    monkeypatch.setenv("TEST_KEY", OTHER_KEY)
    with pytest.raises(GraphRecError, match="Is it the key that the run was read with"):
        ids_known(dataset, ["anna"], key)


def test_a_user_prefix_keeps_people_apart_who_have_one_id(tmp_path):
    yaml = pseudonymous(more="interactions: {user_prefix: 'b:'}\n")
    assert ids_of(Dataset.load(folder(tmp_path, "user_id,item_id\n7,i1\n", yaml))) == {twin("b:7")}


def test_another_key_scope_or_version_gives_another_pseudonym(monkeypatch):
    settings = PseudonymSettings(scope="shop", key_env="TEST_KEY")
    assert len({twin("anna"), twin("anna", "shop2"), twin("anna", version=2), twin("anna", key=OTHER_KEY)}) == 4
    key = SecretKey.read(settings)
    assert Pseudonyms(key, "shop", 2).of(["anna", ""]) == [twin("anna", version=2), ""]


def test_held_out_files_and_truth_files_get_the_same_pseudonyms(tmp_path):
    log = "user_id,item_id\nanna,i1\nbert,i2\n"
    dataset = Dataset.load(
        folder(tmp_path, "", pseudonymous(), train__csv=log, valid__csv="user_id,item_id\nanna,i3\ndora,i3\n")
    )
    assert dataset.user_ids.tolist() == [twin("anna"), twin("bert"), twin("dora")]
    assert dataset.truths["valid"].user_index_P.tolist() == [0, 2]
    (tmp_path / "later.csv").write_text("user_id,item_id\nbert,i3\n")
    split, _ = read_truth(dataset, tmp_path / "later.csv")
    assert split.truth.user_index_P.tolist() == [1]


def test_rows_set_aside_hold_no_raw_id_whatever_is_wrong_with_them(tmp_path):
    log = (
        "user_id,item_id,weight\n"
        "anna,i1,1\n"
        "secret-1,nothing,1\n"  # unknown item
        "secret-2,i1,1,1\n"  # too many fields: the whole line would be reported
        "i2,secret-3,1\n"  # columns swapped
        "secret-4,i1,many\n"
        '"secret\n5",i1,1\n'
    )
    dataset = Dataset.load(folder(tmp_path, log, pseudonymous()))
    rows = dataset.set_aside.rows
    assert len(rows) == 5
    assert sorted(rows["row"]) == [2, 3, 4, 5, 6]
    told = rows.to_csv() + str(dataset.set_aside)
    assert "secret" not in told
    assert ids_of(dataset) == {twin("anna")}


AS_ITEMS = "items: {file: interactions.csv, layout: log}\ninteractions: {file: ./interactions.csv}\n"


def test_a_log_that_is_the_catalogue_too_tells_no_raw_id_and_each_bad_row_once(tmp_path):
    log = "user_id,item_id\nanna,i1\nsecret-1,i1,more\nsecret-2,\nbert,i2\n"
    dataset = Dataset.load(folder(tmp_path, log, pseudonymous(more=AS_ITEMS)))
    assert dataset.catalogue.item_ids.tolist() == ["i1", "i2"]
    assert "secret" not in dataset.set_aside.rows.to_csv() + str(dataset.set_aside)
    assert dataset.set_aside.rows["row"].tolist() == [2, 3]


def test_a_log_that_is_the_catalogue_too_lists_nothing_of_those_who_said_no(tmp_path):
    log = "user_id,item_id,agreed\nanna,i1,yes\nbert,rare,no\ncora,i2,1\n"
    dataset = Dataset.load(folder(tmp_path, log, CONSENT + AS_ITEMS))
    assert dataset.catalogue.item_ids.tolist() == ["i1", "i2"]
    assert dataset.set_aside.left_out == {NO_CONSENT: 1}
    assert dataset.set_aside.rows.empty


def test_a_file_of_unusable_rows_is_refused_without_a_raw_id(tmp_path):
    with pytest.raises(GraphRecError, match="unknown item") as error:
        Dataset.load(folder(tmp_path, "user_id,item_id\ni1,secret-1\n", pseudonymous()))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "There is no key of the pseudonyms in the environment variable TEST_KEY: make one with: python -c"),
        ("  \n", "There is no key"),
        ("ab" * 31, r"too short \(31 bytes, 32 are needed\): make one with"),
        ("correct horse battery staple", r"too short \(28 bytes"),
        ("00" * 32, "is not random"),
    ],
)
def test_a_key_that_protects_nobody_is_refused_in_one_line_without_showing_it(monkeypatch, tmp_path, value, message):
    monkeypatch.delenv("TEST_KEY") if value is None else monkeypatch.setenv("TEST_KEY", value)
    with pytest.raises(GraphRecError, match=message) as error:
        Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\n", pseudonymous()))
    assert "\n" not in str(error.value)
    assert not (value or "").strip() or (value or "").strip() not in str(error.value)


@pytest.mark.parametrize("place", ["key_env", "key_file"])
@pytest.mark.parametrize("value", [KEY, "9" * 70, base64.b64encode(bytes.fromhex(KEY)).decode()])
def test_a_key_written_into_the_description_is_refused_and_not_repeated(tmp_path, place, value):
    yaml = f"privacy: {{pseudonyms: {{scope: shop, {place}: {value}}}}}\n"
    with pytest.raises(GraphRecError, match="never the key itself") as error:
        Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\n", yaml))
    assert value not in str(error.value)
    with pytest.raises(GraphRecError, match="expected scope, and key_env or key_file") as error:
        Dataset.load(folder(tmp_path, "", f"privacy: {{pseudonyms: {value}}}\n"))
    assert value not in str(error.value)


def test_a_key_that_begins_as_a_path_does_is_not_repeated_either(tmp_path):
    value = "/9j4AAQSkZJRgABAQAAAQABAAD2wBDAAgGBgcGBQgH+zU="
    yaml = f"privacy: {{pseudonyms: {{scope: shop, key_file: {value}}}}}\n"
    with pytest.raises(GraphRecError, match="looks like a key, so it is not repeated") as error:
        Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\n", yaml))
    assert value not in str(error.value)
    for given in (value, value[1:]):
        with pytest.raises((GraphRecError, BadParameter)) as error:
            SecretKey.read(chosen_key(None, Path(given)))
        assert value[1:] not in str(error.value)


def test_a_variable_may_have_a_long_name(monkeypatch):
    monkeypatch.setenv("PSEUDONYM_KEY_OF_THE_SHOPS_OF_2026", KEY)
    assert SecretKey.read(KeySource(key_env="PSEUDONYM_KEY_OF_THE_SHOPS_OF_2026")).secret == bytes.fromhex(KEY)


def test_a_key_file_is_made_once_and_read_as_the_environment_is(tmp_path, monkeypatch):
    path = tmp_path / "keys" / "shop.key"
    write_new_key(path)
    assert path.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("TEST_KEY", path.read_text().upper())
    of_file = SecretKey.read(KeySource(key_file=str(path)))
    assert of_file == SecretKey.read(KeySource(key_env="TEST_KEY"))
    assert path.read_text().strip() not in repr(of_file) + str(of_file)
    assert of_file.secret.hex() not in repr(of_file)
    with pytest.raises(GraphRecError, match="a key is never replaced"):
        write_new_key(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("scope: shop", r"give key_env \(the name of an environment variable\) or key_file"),
        ("scope: shop, key_env: A, key_file: /k", "give key_env"),
        ("key_env: A", "scope: is missing"),
        ("scope: shop, key_file: key.txt", "give an absolute path"),
        ("scope: shop, key_env: A-B", "not a name of an environment variable"),
        ("scope: shop, key_file: /no/such/key", "There is no key file /no/such/key: make one with"),
        ("scope: shop, key_env: TEST_KEY, salt: x", "unknown key"),
    ],
)
def test_careless_settings_are_refused_in_one_line(tmp_path, settings, message):
    with pytest.raises(GraphRecError, match=message) as error:
        Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\n", f"privacy: {{pseudonyms: {{{settings}}}}}\n"))
    assert "\n" not in str(error.value)


def test_a_scope_of_a_source_without_pseudonyms_is_refused(tmp_path):
    with pytest.raises(GraphRecError, match="pseudonym_scope says nothing without"):
        Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\n", "interactions: {pseudonym_scope: b}\n"))


def test_many_ids_are_hashed_once_each_and_keep_their_rows():
    key, rng = SecretKey(secrets.token_bytes(32)), np.random.default_rng(0)
    raw = [str(one) for one in rng.integers(0, 50, 2000)]
    column = Pseudonyms(key, "shop", 1).column(pa.array(raw, pa.large_string())).to_pylist()
    assert column == Pseudonyms(key, "shop", 1).of(raw)
    assert len(set(column)) == len(set(raw))


CONSENT = "privacy: {consent: {column: agreed, granted: [true, 1]}}\n"
LOG = (
    "user_id,item_id,agreed\n"
    "anna,i1,true\nbert,i1,false\ncora,i2,1\ndora,i2,0\nemil,i3,\nfred,i3,YES\ngina,i1,maybe\nhugo,i2,1.0\nida,i3,No\n"
)


def test_rows_without_consent_leave_and_are_counted(tmp_path):
    dataset = Dataset.load(folder(tmp_path, LOG, CONSENT))
    assert dataset.user_ids.tolist() == ["anna", "cora", "fred", "hugo"]
    assert dataset.set_aside.left_out == {NO_CONSENT: 5}
    (warning,) = dataset.set_aside.warnings
    assert "1 answers in column 'agreed' are neither yes nor no and count as no" in warning
    assert "maybe" not in warning


def test_what_has_no_consent_leaves_no_trace(tmp_path):
    """The dataset is the one of a log that never had these people, down to its fingerprint."""
    without = "".join(
        line + "\n" for line in LOG.splitlines() if not line.startswith(("bert", "dora", "emil", "gina", "ida"))
    )
    read = Dataset.load(folder(tmp_path / "all", LOG.replace("ida,i3,No", "ida,nothing,No"), CONSENT))
    expected = Dataset.load(folder(tmp_path / "few", without, CONSENT))
    assert fingerprint(read) == fingerprint(expected)
    assert read.set_aside.rows.empty  # not even the unknown item of somebody who said no
    for name in ("bert", "dora", "emil", "gina", "ida"):
        assert name not in str(read) + read.set_aside.rows.to_csv()


def test_rows_that_cannot_be_read_keep_nothing_of_who_may_have_said_no(tmp_path):
    dataset = Dataset.load(folder(tmp_path, LOG + "secret,i1,false,extra\n", CONSENT))
    assert dataset.set_aside.rows["row"].tolist() == [10]
    assert "secret" not in dataset.set_aside.rows.to_csv()


def test_a_missing_consent_column_is_one_clear_line(tmp_path):
    with pytest.raises(GraphRecError, match=r"interactions.csv has no column 'agreed', which .* consent \(it has: "):
        Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\n", CONSENT))


def test_held_out_files_need_consent_too(tmp_path):
    log = "user_id,item_id,agreed\nanna,i1,1\n"
    with pytest.raises(GraphRecError, match=r"valid.csv has no column 'agreed'"):
        Dataset.load(folder(tmp_path, "", CONSENT, train__csv=log, valid__csv="user_id,item_id\nanna,i2\n"))


def test_nobody_agreeing_is_one_clear_line(tmp_path):
    with pytest.raises(GraphRecError, match="none of its 2 rows has consent: column 'agreed' holds none of True, 1"):
        Dataset.load(folder(tmp_path, "user_id,item_id,agreed\nanna,i1,no\nbert,i2,0\n", CONSENT))


def test_one_source_may_ask_in_its_own_words(tmp_path):
    yaml = (
        "items: {file: items.csv}\n"
        "interactions:\n"
        "- {file: a.csv}\n"
        "- {file: b.csv, consent: {column: einwilligung, granted: [ja], denied: [nein]}}\n"
    )  # fmt: skip
    logs = {"a__csv": "user_id,item_id\nanna,i1\n", "b__csv": "user_id,item_id,einwilligung\nb,i2,Ja\nc,i3,nein\n"}
    dataset = Dataset.load(folder(tmp_path, "", yaml, **logs))
    assert ids_of(dataset) == {"anna", "b"}
    assert not dataset.set_aside.warnings


def test_without_privacy_nothing_changes(tmp_path):
    dataset = Dataset.load(folder(tmp_path, "user_id,item_id\nanna,i1\nanna,nothing\n", ""))
    assert dataset.user_ids.tolist() == ["anna"]
    assert dataset.set_aside.rows["value"].tolist() == ["nothing"]
    assert dataset.description.privacy.pseudonyms is None
