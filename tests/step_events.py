"""What an event says of a step, in short."""


def step_of(event):
    return event["run"]["facets"]["relineage_step"]


def parameters(event):
    return {one["name"]: (one["type"], one["value"]) for one in step_of(event)["parameters"]}


def roles(event, direction="inputs"):
    """Role → name of the dataset."""
    facets = f"{direction[:-1]}Facets"
    return {one[facets]["relineage_io"]["role"]: one["name"] for one in event[direction]}


def content(event, role, direction="outputs"):
    facets = f"{direction[:-1]}Facets"
    for one in event[direction]:
        if one[facets]["relineage_io"]["role"] == role:
            return one["facets"]["relineage_content"]
    raise KeyError(role)
