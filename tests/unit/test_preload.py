"""Kinds of workers: what a program names decides them, they grow by what is learnt, and nothing that programs say makes them
many or large."""

from reexec import Program, load_policy
from reexec.engine.pool.preload import MAX_KINDS, MAX_SUBMODULES, Preload


def preload() -> Preload:
    return Preload(load_policy("codeio"))


def program(source: str) -> Program:
    return Program(source, "f")


def test_a_program_that_names_nothing_has_the_empty_kind() -> None:
    assert preload().of(program("import json\ndef f(): return 1")) == frozenset()


def test_packages_are_found_by_name_and_by_the_preludes_second_names() -> None:
    assert preload().of(program("def f(): return np.ones(3)")) == {"numpy"}
    assert preload().of(program("x = __import__('pandas')")) == {"pandas"}


def test_submodules_are_learnt_from_every_way_of_importing_them() -> None:
    named = preload().of(
        program("import scipy.stats as st\nfrom scipy import optimize, signal\nfrom sklearn import (\n    svm,\n    tree)\n")
    )
    assert named == {"scipy", "sklearn", "scipy.stats", "scipy.optimize", "scipy.signal", "sklearn.svm", "sklearn.tree"}


def test_a_kind_grows_and_serves_the_programs_before_and_after() -> None:
    kinds = preload()
    first = program("from scipy import stats")
    assert kinds.of(first) == {"scipy", "scipy.stats"}
    assert kinds.of(program("from scipy import optimize")) == {"scipy", "scipy.stats", "scipy.optimize"}
    assert kinds.of(first) == {"scipy", "scipy.stats", "scipy.optimize"}
    assert kinds.of(program("import scipy")) == kinds.of(first)
    assert kinds.of(program("import numpy")) == {"numpy"}, "other packages are another kind"


def test_what_is_learnt_together_is_one_kind() -> None:
    kinds = preload()
    programs = [program(f"from scipy import part{number}") for number in range(5)]
    for one in programs:
        kinds.learn(one)
    assert len({kinds.of(one) for one in programs}) == 1


def test_hostile_names_make_no_kind_large() -> None:
    kinds = preload()
    kinds.learn(program("".join(f"import scipy.x{number}\n" for number in range(5000))))
    kinds.learn(program("".join(f"import scipy.y{number}\n" for number in range(5000))))
    assert len(kinds.of(program("import scipy"))) == 1 + MAX_SUBMODULES


def test_kinds_are_few_and_the_next_program_gets_the_nearest() -> None:
    policy = load_policy("codeio", settings=["warm=" + str([f"m{number}" for number in range(40)])])
    kinds = Preload(policy)
    seen = {kinds.of(program(f"import m{number}")) for number in range(40)}
    assert len(seen) <= MAX_KINDS
    assert kinds.of(program("import m0, m39")) == {"m0"}


def test_a_source_of_megabytes_is_searched_in_linear_time() -> None:
    kinds = preload()
    kinds.of(program("from scipy import (" + "a, " * 400_000))
    kinds.of(program("from scipy import " * 60_000))
    kinds.of(program("scipy." * 200_000))
