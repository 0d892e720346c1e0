"""The modules of the dashboard and the files that they become."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

from orpheus.api.dashboard import bundles
from orpheus.api.dashboard.bundles import bundle, exports_of, imports_of, page_scripts

FOLDER = Path(bundles.__file__).parent / "static/js"
MODULES = {
    path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
    for path in FOLDER.rglob("*.js")
}
IMPORTS = re.compile(r'import \{([^}]*)\} from "(\.\.?/.+)";')
EXPORTS = re.compile(r"export (?:async function|function|class|const) (\w+)\b")


def test_a_module_imports_and_exports_only_in_the_forms_that_a_bundle_knows() -> None:
    for name, text in MODULES.items():
        for statement in re.findall(r"^import\b[^;]*;", text, re.MULTILINE):
            assert IMPORTS.fullmatch(statement), (name, statement)
        for line in re.findall(r"^export\b.*$", text, re.MULTILINE):
            assert EXPORTS.match(line), (name, line)


def test_a_module_imports_only_what_another_exports() -> None:
    """Of an `export const` with two names, the second would be missing in a bundle."""
    for name, text in MODULES.items():
        for (names, _), other in zip(IMPORTS.findall(text), imports_of(name, text), strict=True):
            wanted = {part.split(" as ")[0].strip() for part in names.split(",") if part.strip()}
            assert wanted <= exports_of(MODULES[other]).keys(), (name, other)


def test_a_module_imports_before_all_else() -> None:
    for name, text in MODULES.items():
        code = re.sub(r"/\*.*?\*/|^//.*$", "", text, flags=re.DOTALL | re.MULTILINE)
        rest = re.sub(r"^\s*import\b[^;]*;", "", code, flags=re.MULTILINE)
        assert code.endswith(rest.lstrip()), name


def test_only_the_login_page_awaits_outside_a_function() -> None:
    """It imports nothing, so it is not bundled."""
    outside = re.compile(r"^(?!.*\basync\b)\S.*\bawait\b", re.MULTILINE)
    awaiting = {name for name, text in MODULES.items() if outside.search(text)}
    assert awaiting == {"base/login.js"} - page_scripts(MODULES)


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: imports_of(name, text) for name, text in MODULES.items()}
    TopologicalSorter(graph).prepare()


def test_a_bundle_has_each_module_once_after_those_that_it_imports() -> None:
    whole = bundle("overview/overview.js", MODULES)
    names = re.findall(r'^\$modules\["(.+?)"\] = ', whole, re.MULTILINE)
    assert len(names) == len(set(names)) > 20
    assert names[-1] == "overview/overview.js"
    for n, name in enumerate(names):
        assert set(imports_of(name, MODULES[name])) <= set(names[:n])


def test_a_module_becomes_a_function_that_returns_what_it_exports() -> None:
    modules = {
        "page/page.js": 'import { add as plus, ONE } from "../base/sums.js";\nplus(ONE, 1);\n',
        "base/sums.js": "export const ONE = 1;\nconst own = 2;\nexport function add(a, b) {}\n",
    }
    assert page_scripts(modules) == {"page/page.js"}
    assert bundle("page/page.js", modules).split("\n") == [
        "const $modules = {};",
        "",
        "// base/sums.js",
        '$modules["base/sums.js"] = (() => {',
        "const ONE = 1;",
        "const own = 2;",
        "function add(a, b) {}",
        "",
        "return { ONE: ONE, add: add };",
        "})();",
        "",
        "// page/page.js",
        '$modules["page/page.js"] = (() => {',
        'const { add: plus, ONE } = $modules["base/sums.js"];',
        "plus(ONE, 1);",
        "",
        "return {  };",
        "})();",
        "",
    ]


def test_a_list_of_exports_ends_a_vendored_module() -> None:
    text = "const b=1,c=2;export{b as html,c as render};\n//# sourceMappingURL=x.js.map"
    assert exports_of(text) == {"html": "b", "render": "c"}
    whole = bundle("page.js", {"page.js": 'import { html } from "./x.js";', "x.js": text})
    assert "export{" not in whole
    assert "return { html: b, render: c };" in whole
