"""How the desk's things are named in the addresses of pages and API, each with its bound: public ids, and slugs."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter, QueryParameter
from msgspec import Meta

HandlingText = Annotated[str, Parameter(max_length=20, description="such as CWF-7Q4K-9M2X")]  # a finding
CaseText = Annotated[str, Parameter(max_length=20, description="such as CWC-7Q4K-9M2X")]
ReferenceText = Annotated[str, Parameter(max_length=20, description="such as CWL-7Q4K-9M2X")]  # a lease
SlugText = Annotated[str, QueryParameter(max_length=63, pattern="^[a-z0-9-]*$")]
Slug = Annotated[str, Meta(max_length=63, pattern="^[a-z0-9-]*$")]  # of an organisation, in a body
