"""Tells schemathesis what a string of ``format: json-object`` is: a filter as JSON."""

import json

import schemathesis
from hypothesis import strategies as st

keys = st.text(st.characters(codec="utf-8", exclude_characters="$\x00"), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
schemathesis.openapi.format(
    "json-object", st.dictionaries(keys, scalars, max_size=3).map(json.dumps)
)
