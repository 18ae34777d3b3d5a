"""What a zygote runs of a package that it keeps warm: some make their tables and import their parts when they are first used,
which every check would do again."""

from __future__ import annotations

from typing import Dict

OF: Dict[str, str] = {
    "sympy": """
x, y = sympy.symbols("x y")
sympy.expand((x + 1) ** 3 * (x - y)), sympy.factor(x**2 - 1), sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
sympy.diff(sympy.sin(x) * x**2, x), sympy.integrate(x * sympy.exp(x), x), sympy.solve(x**2 - 3 * x + 1, x)
sympy.solve([x + y - 3, x - y - 1], [x, y]), sympy.limit(sympy.sin(x) / x, x, 0), sympy.series(sympy.exp(x), x, 0, 4)
sympy.Matrix([[1, 2], [3, 4]]).det(), sympy.Matrix([[1, 2], [3, 4]]).inv(), sympy.factorint(360), sympy.isprime(97)
str(sympy.sqrt(8) + sympy.Rational(1, 3)), sympy.N(sympy.pi, 20), sympy.latex(x**2), sympy.sympify("x + 1").subs(x, 2)
""",
    "pandas": """
frame = pandas.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "z"]})
frame.groupby("a").sum(numeric_only=True), frame.merge(frame, on="a"), frame.sort_values("b").to_dict("records")
frame["b"].str.upper().tolist(), frame.describe(), str(frame), frame[frame["a"] > 1].reset_index().to_json()
pandas.to_datetime(pandas.Series(["2020-01-01"])).dt.year, pandas.concat([frame, frame]).fillna(0).apply(len)
frame.pivot_table(index="a", values="a", aggfunc="count")
""",
    "scipy.stats": "scipy.stats.norm.cdf(0.5), scipy.stats.ttest_ind([1.0, 2.0, 3.0], [2.0, 3.0, 5.0])",
    "scipy.optimize": "scipy.optimize.minimize(lambda x: (x[0] - 1) ** 2, [0.0])",
    "networkx": "networkx.shortest_path(networkx.path_graph(4), 0, 3)",
    "matplotlib.pyplot": "matplotlib.pyplot.plot([1, 2]), matplotlib.pyplot.close('all')",
}


def run(name: str) -> None:
    """Runs the exercise of a module that was imported. What it raises says nothing: versions differ."""
    source = OF.get(name)
    if source is None:
        return
    top = name.partition(".")[0]
    try:
        exec(source, {top: __import__(name)})
    except Exception:
        pass
