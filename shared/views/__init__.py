"""Rows of the store as the JSON that the API and the command line show. Nothing here writes.

Each answer is declared once, as a TypedDict beside the function that makes it: mypy checks the
function, and the API makes its OpenAPI document from the same class, whose docstrings become the
descriptions. pydantic is not imported here, because the command line starts faster without it.
"""
