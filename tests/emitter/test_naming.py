"""Dataset names by OpenLineage's naming rules, and no credential in any of them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.naming import DatasetName, of_path, of_text, of_url, without_credentials

URLS = [
    ("s3://bucket/raw/a.parquet", "s3://bucket", "raw/a.parquet"),
    ("s3a://bucket/raw/", "s3://bucket", "raw"),
    ("s3://bucket", "s3://bucket", "/"),
    ("s3://KEY:hun/ter2@bucket/k", "s3://bucket", "k"),
    ("gs://bucket/a/b", "gs://bucket", "a/b"),
    ("gcs://bucket/a/b", "gs://bucket", "a/b"),
    ("s3://bucket/with%20space", "s3://bucket", "with space"),
    ("s3://bucket/k?X-Amz-Signature=abc&versionId=3", "s3://bucket", "k"),
    ("abfss://box@acct.dfs.core.windows.net/p/q", "abfss://box@acct.dfs.core.windows.net", "p/q"),
    ("wasb://box@acct.blob.core.windows.net/p", "wasbs://box@acct.blob.core.windows.net", "p"),
    ("hdfs://namenode:8020/warehouse/t", "hdfs://namenode:8020", "/warehouse/t"),
    (
        "postgres://u:hunter2@db.example/shop.public.orders",
        "postgres://db.example:5432",
        "shop.public.orders",
    ),
    (
        "postgresql+psycopg2://u:hunter2@db:6432/shop/public/orders",
        "postgres://db:6432",
        "shop.public.orders",
    ),
    ("mysql://db/shop.orders", "mysql://db:3306", "shop.orders"),
    ("mssql://db/shop.dbo.orders", "mssql://db:1433", "shop.dbo.orders"),
    ("snowflake://org-account/DB.SCHEMA.T", "snowflake://org-account", "DB.SCHEMA.T"),
    ("bigquery://project.data.table", "bigquery", "project.data.table"),
    ("bigquery://project/data/table", "bigquery", "project.data.table"),
    ("kafka://broker:9092/events", "kafka://broker:9092", "events"),
    ("file:///data/a.csv", "file", "/data/a.csv"),
    ("file://host/data/a.csv", "file://host", "/data/a.csv"),
    ("https://user:hunter2@host/data.csv?table=a&token=hunter2", "https://host", "/data.csv?table=a"),
    ("odd://[unclosed/path", "odd://[unclosed", "/path"),
]


@pytest.mark.parametrize(("url", "namespace", "name"), URLS, ids=[url for url, _, _ in URLS])
def test_a_url_is_split_as_the_naming_rules_say(url, namespace, name):
    assert of_url(url) == DatasetName(namespace=namespace, name=name)


@pytest.mark.parametrize("text", ["features/train", "a:b", "C:\\data\\a.csv", "", "name with :// inside"])
def test_a_plain_name_belongs_to_the_default_namespace_as_it_stands(text):
    assert of_text(text, "fraud") == DatasetName(namespace="fraud", name=text)


def test_a_path_is_absolute_without_dots_and_links_are_not_followed(tmp_path, monkeypatch):
    (tmp_path / "v1.csv").touch()
    (tmp_path / "latest.csv").symlink_to(tmp_path / "v1.csv")
    monkeypatch.chdir(tmp_path)

    assert of_path(Path("./sub/../latest.csv")) == DatasetName(
        namespace="file", name=os.fspath(tmp_path / "latest.csv")
    )


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://token@github.com/o/r.git", "https://github.com/o/r.git"),
        ("https://x:hunter2@github.com/o/r", "https://github.com/o/r"),
        ("ssh://git:hunter2@host:22/o/r.git", "ssh://git@host:22/o/r.git"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("/srv/git/r.git", "/srv/git/r.git"),
        ("https://h/p?sig=hunter2&v=1", "https://h/p?v=1"),
        ("simplecache::s3://KEY:hunter2@bucket/p", "simplecache::s3://bucket/p"),
        ("zip://u:hunter2@a.csv::x::ftp://u:hunter2@h/b.zip", "zip://a.csv::x::ftp://h/b.zip"),
        ("s3://KEY:hunter2::more@bucket/p", "s3://bucket/p"),
        ("http://u:hunter2@[2001:db8::1]:80/p", "http://[2001:db8::1]:80/p"),
        ("Model::Name", "Model::Name"),
        ("s3://KEY:hun/ter2@bucket/p", "s3://bucket/p"),
        ("s3://KEY:hun?te#r2@bucket/p", "s3://bucket/p"),
        ("simplecache::s3://KEY:hun/ter2@bucket/p", "simplecache::s3://bucket/p"),
        ("hdfs://namenode:8020/logs/me@here", "hdfs://namenode:8020/logs/me@here"),
        ("s3://bucket/a:b/c@d", "s3://bucket/a:b/c@d"),
    ],
)
def test_credentials_are_taken_out_of_a_url(url, clean):
    assert without_credentials(url) == clean


@given(st.text())
def test_no_name_makes_it_raise(text):
    named = of_text("x://" + text, "fraud")

    assert named.namespace
    assert named.name
