"""What is a secret and what only looks like one; and the laws that hold for any value."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shared import SHARED

from relineage.facets import encode, redact
from relineage.facets.redaction import MARKER, URL_MARKER, is_secret_name, may_hold_secret

DIGEST = "b3-table1:" + "9f" * 32
# Put together here, so that scanners of repositories do not take them for secrets.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2" * 9
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0" + ".c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY" + "-----\nMIIB\nabc\n-----END RSA PRIVATE KEY" + "-----"


SECRET_NAMES = """
    password PASSWORD db_password dbPassword PGPASSWORD user.passwd keyPassword passphrase MYSQL_PWD smtp_pass
    secret client_secret clientSecret SECRET_KEY aws_secret_access_key secrets.db fs.s3a.secret.key
    spark.hadoop.fs.s3a.access.key fs.azure.account.key.store.blob.core.windows.net credential credentials
    AWS_ACCESS_KEY_ID api_key apiKey API-KEY x-api-key OPENAI_API_KEY private_key privateKey session_key
    sessionKey signingKey token TOKEN hf_token HF_TOKEN accessToken access_tokens auth_token github_token
    refreshToken token_value auth basic_auth authorization Proxy-Authorization cookie Set-Cookie cookies jwt
"""
HARMLESS_NAMES = """
    tokenizer tokenizers tokens max_tokens maxTokens max_new_tokens num_tokens token_count token_type_ids
    pad_token eos_token_id mask_token loss_per_token per_token token_embeddings author authors author_email
    authority key keys primary_key primaryKey foreign_key sort_key partition_key public_key cache_key keyboard
    monkey passes forward_pass bypass compass passenger secretary secret_name password_policy password_length
    auth_type auth_method auth_url token_url session_id private_key_path signature digest hash username user
    access_count api_version cookie_policy credential_provider design assignment
    spark.hadoop.fs.s3a.aws.credentials.provider
"""
FRAGMENTS = r"""
    password token secret=x api_key auth : = == => ' " \ \" // :// ; & ? # @ - -- [ ] { } ( ) < > , . / _ %
    jdbc: jdbc:oracle:thin: Bearer Authorization: Cookie: identified by PWD pwd sig= user host 80 hunter2 AKIA
    -----BEGIN KEY----- é
"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_a_name_of_a_secret_is_one(name: str):
    assert is_secret_name(name)
    assert redact({name: "hunter2"}) == {name: MARKER}
    assert redact([{"name": name, "value": "hunter2"}]) == [{"name": name, "value": MARKER}]
    assert redact({"key": name, "type": "str", "value": "x"}) == {"key": name, "type": "str", "value": MARKER}
    assert redact(["run", f"--{name}", "x y", "z"]) == ["run", f"--{name}", MARKER, "z"]
    assert redact({"text": f"run {name}=hunter2 z"}) == {"text": f"run {name}={MARKER} z"}
    assert redact(f'{{"{name}": "hunter2", "z": 1}}') == f'{{"{name}": "{MARKER}", "z": 1}}'


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_a_name_that_only_looks_like_one_is_none(name: str):
    values = [
        {name: "hunter2"},
        {"name": name, "value": "hunter2"},
        ["run", f"--{name}", "hunter2"],
        f"run --{name} hunter2 {name}=hunter2 {name}: h2",
        {"description": f"the {name}: 'x'"},
    ]

    assert redact(values) == values


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgres://bob:hunter2@db:5432/x", f"postgres://bob:{URL_MARKER}@db:5432/x"),
        ("redis://:hunter2@cache/0", f"redis://:{URL_MARKER}@cache/0"),
        ("see amqp://a:p@ss@h/v, now", f"see amqp://a:{URL_MARKER}@h/v, now"),
        ("mysql://a:p/w@h/v", f"mysql://a:{URL_MARKER}@h/v"),
        (
            "mongodb://a:b@h1:1,h2:2/x?token=c&y=1",
            f"mongodb://a:{URL_MARKER}@h1:1,h2:2/x?token={URL_MARKER}&y=1",
        ),
        ("https://h/p?a=1&sig=Ab%2Fc%3D&se=2#f", f"https://h/p?a=1&sig={URL_MARKER}&se=2#f"),
        (
            "https://b.s3/x?AWSAccessKeyId=A1&Signature=b%3D&Expires=3",
            f"https://b.s3/x?AWSAccessKeyId={URL_MARKER}&Signature={URL_MARKER}&Expires=3",
        ),
        (
            "s3://b/k?X-Amz-Credential=A%2Fus&X-Amz-Date=1&X-Amz-Signature=9f&X-Amz-Security-Token=t",
            f"s3://b/k?X-Amz-Credential={URL_MARKER}&X-Amz-Date=1&X-Amz-Signature={URL_MARKER}"
            f"&X-Amz-Security-Token={URL_MARKER}",
        ),
        (
            "jdbc:sqlserver://h:1433;databaseName=d;user=u;password=p!x;encrypt=true",
            f"jdbc:sqlserver://h:1433;databaseName=d;user=u;password={URL_MARKER};encrypt=true",
        ),
        ("jdbc:oracle:thin:scott/tiger@h:1521:x", f"jdbc:oracle:thin:scott/{URL_MARKER}@h:1521:x"),
        (f"https://{GITHUB}@github.com/a/b.git", f"https://{URL_MARKER}@github.com/a/b.git"),
        ("Server=h;AccessKey=abc+/=;x=1", f"Server=h;AccessKey={MARKER};x=1"),
        ("train.py --password hunter2 --lr 0.1", f"train.py --password {MARKER} --lr 0.1"),
        ("train.py --token=abc --lr=0.1", f"train.py --token={MARKER} --lr=0.1"),
        ("train.py --api-key 'a b' x", f"train.py --api-key '{MARKER}' x"),
        (
            "java -Djavax.net.ssl.keyStorePassword=x Main",
            f"java -Djavax.net.ssl.keyStorePassword={MARKER} Main",
        ),
        (
            "DB_PASSWORD=x HF_TOKEN=y PWD=/home/me cmd",
            f"DB_PASSWORD={MARKER} HF_TOKEN={MARKER} PWD=/home/me cmd",
        ),
        ("{\"a\": 1, 'secret': 'x'}", f"{{\"a\": 1, 'secret': '{MARKER}'}}"),
        (r"{\"password\":\"hunter2\"}", rf"{{\"password\":\"{MARKER}\"}}"),
        ('password = "a\\"b" # why', f'password = "{MARKER}" # why'),
        ("OPTIONS (url 'x', password 'hunter2')", f"OPTIONS (url 'x', password '{MARKER}')"),
        ("CREATE USER a IDENTIFIED BY 'hunter2'", f"CREATE USER a IDENTIFIED BY '{MARKER}'"),
        ("Authorization: Basic dXNlcjpw", f"Authorization: {MARKER}"),
        ('{"Authorization": "Bearer abc.def"}', f'{{"Authorization": "{MARKER}"}}'),
        ("curl -H 'authorization: token abc' x", f"curl -H 'authorization: {MARKER}' x"),
        ("sent Bearer a1b2c3d4e5 to h", f"sent Bearer {MARKER} to h"),
        ("Cookie: a=b; c=d\nHost: h", f"Cookie: {MARKER}\nHost: h"),
        ("password: hunter2", f"password: {MARKER}"),
        (f"a {AWS} b", f"a {MARKER} b"),
        (f"'{GITHUB}'", f"'{MARKER}'"),
        ("xoxb-" + "1234567890-abc", MARKER),
        ("sk-" + "proj-abcDEF1234567890xyz", MARKER),
        ("hf_" + "a1" * 17, MARKER),
        (f"x={JWT};", f"x={MARKER};"),
        (f"key:\n{PEM}\nend", f"key:\n{MARKER}\nend"),
        (PEM[:40], MARKER),
    ],
)
def test_a_secret_inside_a_text_is_replaced_and_the_rest_stays(text: str, redacted: str):
    assert redact(text) == redacted
    assert redact({text: [text]}) == {redacted: [redacted]}
    assert json.loads(encode({"x": text})) == {"x": redacted}


@pytest.mark.parametrize(
    "text",
    [
        DIGEST,
        "sha256:" + "0a" * 32,
        "9fceb02d0ae598e95dc970b74767f19372d61af8",
        "0199a1b2-0000-7000-8000-000000007a1c",
        "urn:relineage:facet:RelineageSeedsRunFacet:1-0-0#/$defs/RelineageSeedsRunFacet",
        "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet",
        "s3://bucket/auth/token/file@v1.parquet",
        "file:///home/me/secrets/x",
        "file://C:/me@home/x",
        "kafka://broker-1:9092,broker-2:9092/topic@1",
        "http://[::1]:8080/a@b",
        "https://auth:8443/realms/x",
        "ssh://git@github.com/a/b",
        "me@example.com",
        "SELECT token, author FROM words WHERE token IN ('a', 'b') AND password IS NULL",
        "def login(user: str, password: str, token: Token) -> Session: ...",
        "tokens = tokenizer.encode(text); token = next(stream); password = os.environ['DB']",
        "if password == other: pass",
        "Unexpected token '<' in JSON at position 0",
        "Access denied for user 'a' (using password: YES)",
        "basic statistics of the bearer bonds",
        "task-sk-learn risk-free disk-based-storage-of-things-and-others",
        f"https://h/x?token={URL_MARKER}&a=b",
        f"--password {MARKER}",
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert redact(text) == text
    assert redact({text: text}) == {text: text}


@pytest.mark.parametrize(
    "value",
    [
        {"token": 5, "auth": True, "cookie": None, "secret": 0.5, "password": ""},
        {"password": DIGEST, "token": "sha256:" + "0a" * 32},
        {"token": "<|endoftext|>", "auth_token": "[MASK]"},
        {"PWD": "/home/me", "pwd": "C:\\work"},
        {"facets": {"auth": {"_producer": "urn:x", "level": "high"}}},
        {"packages": {"google-auth": "2.29", "jwt": "1.3"}},
        {"columnMetrics": {"password": {"nullCount": 0, "min": 1}}},
        {"fields": {"token": {"inputFields": [{"namespace": "n", "name": "token", "field": "auth"}]}}},
        {"fields": [{"name": "password", "type": "VARCHAR", "description": "hashed"}]},
        {"columns": [{"name": "password", "type": "utf8", "digest": DIGEST}]},
        {"metrics": [{"name": "secret", "value": 3}]},
        {"namespace": "n", "name": "password", "facets": {"tags": {"tags": [{"key": "a", "value": "b"}]}}},
        {"argv": ["train.py", "--tokenizer", "bpe", "--token", "--lr", "1"]},
    ],
)
def test_a_value_that_is_no_secret_stays_under_any_name(value: Any):
    assert redact(value) == value


@pytest.mark.parametrize(
    ("value", "redacted"),
    [
        ({"password": 1234}, {"password": MARKER}),
        ({"secret": "<x>"}, {"secret": MARKER}),
        ({"api_key": "0199a1b2-0000-7000-8000-000000007a1c"}, {"api_key": MARKER}),
        (
            {"credentials": {"user": "u", "on": True, "n": [1, "x"]}},
            {"credentials": {"user": MARKER, "on": True, "n": [MARKER, MARKER]}},
        ),
        ({"auth": ["user", "hunter2"]}, {"auth": [MARKER, MARKER]}),
        ({"pwd": "hunter2"}, {"pwd": MARKER}),
        (
            {
                "name": "password",
                "type": "utf8",
                "min": "a",
                "max": "z",
                "nulls": 0,
                "top": [{"value": "hunter2", "count": 3}],
            },
            {
                "name": "password",
                "type": "utf8",
                "min": MARKER,
                "max": MARKER,
                "nulls": 0,
                "top": [{"value": MARKER, "count": 3}],
            },
        ),
        (
            {"key": "k1", "name": "DB_PASSWORD", "description": "d", "value": "x"},
            {"key": "k1", "name": "DB_PASSWORD", "description": "d", "value": MARKER},
        ),
        ({f"x {AWS}": 1, f"x {AWS[:-1]}Z": 2}, {f"x {MARKER}": 1, f"x {MARKER}'": 2}),
        (("--password", "-x", "--token", "--y"), ["--password", MARKER, "--token", "--y"]),
    ],
)
def test_a_secret_of_any_shape_is_replaced(value: Any, redacted: Any):
    assert redact(value) == redacted


def test_what_is_given_is_not_changed():
    value = {"a": [{"password": "hunter2"}]}

    redact(value)

    assert value == {"a": [{"password": "hunter2"}]}


# --- laws -----------------------------------------------------------------------------------------

fragments = st.sampled_from(
    [
        *FRAGMENTS.split(),
        *" \t\n\ud800",
        "IDENTIFIED BY '",
        PEM[:31],
        MARKER,
        URL_MARKER,
        AWS,
        GITHUB,
        JWT,
        DIGEST,
    ]
)
texts = st.lists(fragments | st.text(max_size=3), max_size=12).map("".join)
names = (
    st.sampled_from(["name", "key", "value", "min", "top", "facets", "fields", "password", "token"]) | texts
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5),
    max_leaves=12,
)


@given(values)
@example("password=\"password='x")
@example({"name": "token", "top": [{"name": "a", "value": "b"}]})
def test_redacting_twice_is_redacting_once(value: Any):
    once = redact(value)

    assert redact(once) == once


@given(values)
@example("identified\nby 'x'")
@example({"api key": "x"})
def test_the_quick_look_misses_nothing_that_would_be_redacted(value: Any):
    document = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")

    assert may_hold_secret(document) or redact(value) == value


@given(
    values,
    st.sampled_from(["password", "apiKey", "clientSecret"]),
    st.from_regex(r"[a-z0-9]{12}", fullmatch=True),
)
def test_a_text_under_the_name_of_a_secret_is_never_in_the_bytes(value: Any, name: str, secret: str):
    assert secret not in json.dumps(redact([value, {"deep": [{name: [{"er": secret}]}]}])[1])


HOSTILE_LENGTH = 200_000
HOSTILE_PIECES = """
    a :// ://a: password= password=' token=" -a a- eyJ- x= a:b@ jdbc: password={ authorization: sk-a
    ://a:b:// a.b. \\     xoxb- a:a, ://a@ password:" key'
"""


@pytest.mark.parametrize(
    "piece", [*HOSTILE_PIECES.split(), " ", "bearer ", "--password ", "-----BEGIN PRIVATE KEY-----"]
)
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece: str):
    text = "password@" + piece * (HOSTILE_LENGTH // len(piece))
    started = time.process_time()

    redact(text)

    assert time.process_time() - started < 5  # linear: below 0.5 s; quadratic: minutes


def test_real_events_lose_the_one_password_in_them():
    changed = []
    for path in sorted((SHARED / "corpus").rglob("*.json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        if redact(event) != event:
            changed.append(path.name)

    assert changed == ["metadata.template.json"]
