"""The identity of a model's weights."""

from relineage.facets import RelineageModelDatasetFacet, TensorDigest


def test_a_tensor_of_one_number_has_an_empty_shape():
    digest = "b3-tensors1:" + "0" * 64
    facet = RelineageModelDatasetFacet(
        tensor_digests=(TensorDigest(name="scale", dtype="float32", shape=(), digest=digest),)
    )

    assert facet.to_wire("urn:x")["tensorDigests"] == [
        {"name": "scale", "dtype": "float32", "shape": [], "digest": digest}
    ]


def test_the_names_of_one_tensor_stand_together():
    facet = RelineageModelDatasetFacet(aliases=(("decoder.weight", "embedding.weight"),))

    assert facet.to_wire("urn:x")["aliases"] == [["decoder.weight", "embedding.weight"]]
