"""What `dg scaffold defs csq_assets.DataConnectComponent NAME` writes."""

import re
import textwrap

import dagster as dg
import yaml
from pydantic import BaseModel, Field

from csq_assets.attributes import ATTRIBUTES


class ScaffoldParams(BaseModel):
    """Options of the command."""

    export_url: str | None = Field(None, description=ATTRIBUTES["export_url"].meaning)


class DataConnectScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a `defs.yaml` whose places and names are those of its folder, with every attribute
    explained."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        if request.scaffold_format == "python":
            dg.scaffold_component(request)
            return
        name = re.sub(r"\W", "_", request.target_path.name, flags=re.ASCII)
        chosen = {
            "export_url": request.params.export_url or f"data/{name}/export",
            "lake_url": f"data/{name}/lake",
            "duckdb_path": f"data/{name}/warehouse.duckdb",
            "key_prefix": name,
            "group_prefix": f"{name}_",
        }
        attributes = "\n".join(
            _described(attribute, chosen.get(attribute)) for attribute in ATTRIBUTES
        )
        text = f"type: {request.type_name}\n\nattributes:\n{textwrap.indent(attributes, '  ')}"
        if request.append:
            with request.target_path.open("a") as file:
                file.write(f"---\n{text}")
        else:
            (request.target_path / "defs.yaml").write_text(text)


def _described(name: str, value: str | None) -> str:
    """The attribute, below what it is; if it has its default, as a comment too."""
    attribute = ATTRIBUTES[name]
    comment = "".join(
        f"# {line}\n" for line in textwrap.wrap(attribute.meaning, 96, break_on_hyphens=False)
    )
    if value is None:
        default = "[]" if attribute.is_list else attribute.default or ""
        return f"{comment}#{name}: {default}".rstrip() + "\n"
    return comment + yaml.safe_dump({name: value}, width=1_000)
