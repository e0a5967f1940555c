"""Recipes: typed, validated, merged, written and read back."""

import re
import tomllib
from pathlib import Path

import pytest

from _helpers import DOCS
from restorekit.data import Choice
from restorekit.errors import ConfigError
from restorekit.stages import MultiStage
from restorekit.train import (
    LossTerm,
    build_model,
    build_optimizer,
    build_schedule,
    degradation_of,
    differences,
    list_recipes,
    load_recipe,
    recipe_from,
    to_toml,
)

DENOISE = "mprnet_tiny.denoise"


@pytest.mark.parametrize("name", list_recipes())
def test_recipes_of_the_package_build_and_are_read_back(name, tmp_path):
    recipe = load_recipe(name)
    model = build_model(recipe.model)
    assert isinstance(model, MultiStage)
    assert recipe.data.crop % model.size_multiple == 0
    build_schedule(recipe, build_optimizer(recipe, model))
    if recipe.data.layout == "photos":
        degradation_of(recipe.data.degradations, "data.degradations", recipe.data)
    (tmp_path / "merged.toml").write_text(to_toml(recipe))
    assert load_recipe(str(tmp_path / "merged.toml")) == recipe


def weights_of(recipe):
    return {term.name: term.weight for term in recipe.loss.terms}


def test_published_recipes_are_as_published():
    """Section, value: Zamir et al., CVPR 2021, and the settings that the authors give beside it."""
    deblur, derain, denoise = (
        load_recipe(name) for name in ("mprnet_deblur.gopro", "mprnet_derain.rain13k", "mprnet_denoise.sidd")
    )
    assert [recipe.run.steps for recipe in (deblur, derain, denoise)] == [396_000, 214_250, 480_000]
    assert [recipe.data.crop for recipe in (deblur, derain, denoise)] == [256, 256, 128]
    assert [weights_of(recipe) for recipe in (deblur, derain)] == [{"charbonnier": 1.0, "edge": 0.05}] * 2
    assert weights_of(denoise) == {"charbonnier": 1.0}
    assert denoise.loss.clamp
    assert (denoise.data.mixup, denoise.data.mixup_from, denoise.optimizer.weight_decay) == (0.6, 5 * 6000, 1e-8)
    assert (deblur.data.saturation, derain.data.saturation) == (0.2, 0.0)
    for recipe in (deblur, derain, denoise):
        assert (recipe.run.batch, recipe.optimizer.name, recipe.optimizer.lr, recipe.schedule.min_lr) == (16, "adam", 2e-4, 1e-6)


def test_losses_are_terms_with_arguments_or_short_for_those():
    """A weight of its own replaces that of the term of the name, and adds a term if there is none."""
    assert load_recipe(DENOISE).loss.terms == (LossTerm(name="charbonnier", weight=1.0),)
    recipe = load_recipe(DENOISE, ["loss.charbonnier=2", "loss.terms=[{name='charbonnier',eps=1e-2}]", "loss.ssim=0.1"])
    assert [(term.name, term.weight, term.arguments) for term in recipe.loss.terms] == [
        ("charbonnier", 2.0, {"eps": 1e-2}),
        ("ssim", 0.1, {}),
    ]


def test_overrides_are_read_as_toml_or_as_text():
    overrides = ["data.path=2024", "optimizer.lr=1e-4", "run.compile=true", "run.clip=inf", "loss.stages=[1, 0.5, 2]"]
    recipe = load_recipe(DENOISE, [*overrides, "optimizer.arguments.momentum=0.9", "model.init=a b.pth", 'task="x"'])
    assert recipe.data.path == "2024"
    assert recipe.optimizer.lr == 1e-4
    assert recipe.run.compile
    assert recipe.run.clip == float("inf")
    assert recipe.loss.stages == (1.0, 0.5, 2.0)
    assert recipe.optimizer.arguments == {"momentum": 0.9}
    assert (recipe.model.init, recipe.task) == ("a b.pth", "x")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["optimizer.lrr=1"], r"optimizer.lrr: unknown key; did you mean 'lr'\?"),
        (["run.warmup=3"], r"run.warmup: unknown key; did you mean 'schedule.warmup'\?"),
        (["optimiser.lr=1"], r"optimiser: unknown key; did you mean 'optimizer'\?"),
        (["run.steps=many"], "run.steps must be an integer; got 'many'"),
        (["run.steps=1.5"], "run.steps must be an integer; got 1.5"),
        (["run.compile=1"], "run.compile must be true or false; got 1"),
        (["data.degradations=[3]"], r"data.degradations\[0\] must be a mapping; got 3"),
        (["data.layout=gorpo"], "data.layout must be 'photos', 'folders', 'gopro', 'rain13k' or 'sidd'; got 'gorpo'"),
        (["run=3"], "run must be a section with keys; got 3"),
        (["run.steps.more=3"], "'run.steps.more=3': run.steps is not a mapping"),
        (["steps"], "'steps': expected section.key=value, such as optimizer.lr=1e-4"),
        (["run.steps=0"], "run.steps must be at least 1; got 0"),
        (["run.batch=6", "run.accumulate=4"], "run.batch must be a multiple of run.accumulate; got 6 and 4"),
        (["run.ema=1"], "run.ema must be at most 0.999999; got 1"),
        (["schedule.warmup=4000"], "schedule.warmup must be less than the 4000 steps"),
        (["loss.charbonnier=0"], "loss has no weight above 0"),
        (["loss.charbonier=1"], "loss.charbonier: unknown key; did you mean 'charbonnier'"),
        (["loss.l1=-1"], "loss.l1 must be at least 0; got -1"),
        (["loss.l1=x"], "loss.l1 must be a number; got 'x'"),
        (["loss.terms=3"], "loss.terms must be a list; got 3"),
        (["loss.terms=[{weight=1}]"], r"loss.terms\[0\].name is missing"),
        (["loss.terms=[{name='l2'}]"], r"loss.terms\[0\]: unknown loss 'l2'; did you mean 'l1'"),
        (["loss.terms=[{name='edge',epss=1}]"], r"loss.terms\[0\].epss: unknown key; did you mean 'eps'"),
        (["loss.terms=[{name='edge',eps='1'}]"], r"loss.terms\[0\].eps must be a number; got '1'"),
        (["model.name="], "model needs either a name or a composition, but not both"),
        (["model.composition=a.toml"], "model needs either a name or a composition, but not both"),
        (["model.name=mprnet_tiny.denoise"], "to start from its weights, use model.init"),
        (["data.saturation=0.2"], "data.saturation has no effect with data.layout = 'photos'"),
        (["data.layout=gopro"], "data.degradations has no effect with data.layout = 'gopro'"),
        (["data.degradations=[]"], "data.degradations is empty"),
        (["data.mixup=0.6", "run.batch=3"], "data.mixup mixes pairs of samples"),
    ],
)
def test_what_is_wrong_is_named(overrides, words):
    with pytest.raises(ConfigError, match=words):
        load_recipe(DENOISE, overrides)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("mprnet_tiny.denoize", "unknown recipe 'mprnet_tiny.denoize'; did you mean 'mprnet_tiny.denoise'"),
        ("missing.toml", "missing.toml cannot be read: No such file"),
        ("bad.toml", "bad.toml is not valid TOML"),
        ("photos", "photos is a folder, not a recipe; give a recipe first: mprnet_tiny.denoise data.path=photos"),
    ],
)
def test_what_is_no_recipe_is_explained(source, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("task = \n")
    Path("photos").mkdir()
    with pytest.raises(ConfigError, match=words):
        load_recipe(source)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["model.name=mprnet_tyni"], "model: unknown model 'mprnet_tyni'; did you mean 'mprnet_tiny'"),
        (["model.arguments.widht=8"], "model: .*unexpected keyword argument 'widht'"),
        (["optimizer.name=adan2"], r"optimizer.name: unknown optimiser 'adan2'; did you mean"),
        (["optimizer.arguments.betta=1"], "optimizer.arguments: .*betta"),
        (["schedule.arguments.cycles=1"], "schedule.arguments: .*cycles"),
    ],
)
def test_what_cannot_be_built_is_named(overrides, words):
    recipe = load_recipe(DENOISE, ["model.name=mprnet", *overrides] if "arguments.widht" in overrides[0] else overrides)
    with pytest.raises(ConfigError, match=words):
        build_schedule(recipe, build_optimizer(recipe, build_model(recipe.model)))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "rian"}, r"data.degradations\[0\]: unknown degradation 'rian'; did you mean 'rain'"),
        ({"sigma": 3}, r"data.degradations\[0\]: unknown degradation None"),
        ({"name": "gaussian", "sgima": 3}, r"data.degradations\[0\].sgima: unknown argument .* did you mean 'sigma'"),
        ({"name": "gaussian", "sigma": "3"}, r"data.degradations\[0\].sigma must be a number or a list; got '3'"),
        ({"name": "gaussian", "sigma": -3}, r"data.degradations\[0\]: sigma must be at least 0"),
    ],
)
def test_degradations_are_checked(entry, words):
    with pytest.raises(ConfigError, match=words):
        degradation_of([entry], "data.degradations")


def test_the_file_of_a_composition_is_read_at_once(tmp_path):
    path = tmp_path / "network.json"
    path.write_text('{"stages": [{"name": "unet", "widths": [4, 6]}]}')
    recipe = load_recipe(DENOISE, ["model.name=", f"model.composition={path}"])
    assert recipe.model.composition == {"stages": [{"name": "unet", "widths": [4, 6]}]}
    with pytest.raises(ConfigError, match=r"none.json cannot be read"):
        load_recipe(DENOISE, ["model.name=", "model.composition=none.json"])


def test_the_recipe_in_the_tutorial_holds():
    page = (DOCS / "finetuning.md").read_text()
    first, *changes = map(tomllib.loads, re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    assert recipe_from(first).data.layout == "folders"
    for change in changes:
        recipe_from(first | {section: first.get(section, {}) | values for section, values in change.items()})


def test_differences_name_what_changes_the_weights():
    before = load_recipe(DENOISE)
    now = load_recipe(DENOISE, ["optimizer.lr=1e-3", "run.save_every=7", "data.workers=3", "validation.every=9", "task=other"])
    assert differences(before, now) == ['task (was "denoise", now "other")', "optimizer.lr (was 0.002, now 0.001)"]


def test_any_value_is_written_and_read_back():
    values = {"text": 'a "quoted" \\ text\n', "list": [1, 2.5, [True]], "odd key": {"none": []}, "small": 1e-8, "inf": float("inf")}
    recipe = load_recipe(DENOISE).model_copy(update={"task": "größer"})
    recipe = recipe.model_copy(update={"optimizer": recipe.optimizer.model_copy(update={"arguments": values})})
    assert recipe_from(tomllib.loads(to_toml(recipe))) == recipe
    with pytest.raises(ConfigError, match=r"cannot be written as TOML: .*NoneType"):
        to_toml(recipe.model_copy(update={"model": recipe.model.model_copy(update={"arguments": {"grids": None}})}))


def test_choice_of_degradations():
    parts = [[{"name": "camera"}], [{"name": "gaussian", "sigma": 5}, {"name": "jpeg"}]]
    choice = degradation_of([{"name": "choice", "parts": parts, "weights": [2, 1]}], "data.degradations")
    assert isinstance(choice, Choice)
    assert [type(part).__name__ for part in choice.parts] == ["CameraNoise", "Combination"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"parts": []}, r"data\[0\].parts must be a list of 1 or more"),
        ({"parts": [{"name": "jpeg"}]}, r"data\[0\].parts\[0\] must be a list"),
        ({"parts": [[{"name": "jpg"}]]}, r"data\[0\].parts\[0\]\[0\]: unknown degradation 'jpg'"),
        ({"parts": [[{"name": "jpeg"}]], "weights": [1, 2]}, "1 numbers"),
        ({"parts": [[{"name": "jpeg"}]], "weights": "2"}, r"data\[0\].weights must be"),
        ({"parts": [[{"name": "jpeg"}]], "of": 3}, r"data\[0\].of: unknown argument of a choice"),
    ],
)
def test_choice_says_what_is_wrong(entry, message):
    with pytest.raises(ConfigError, match=message):
        degradation_of([{"name": "choice"} | entry], "data")


def test_a_recipe_that_is_nested_too_deeply_is_refused(tmp_path):
    path = tmp_path / "deep.toml"
    path.write_text(f"task = {'[' * 2000}{']' * 2000}")
    with pytest.raises(ConfigError, match=r"deep\.toml is nested more deeply than Python allows"):
        load_recipe(str(path))
    with pytest.raises(ConfigError, match=r"data\.path is nested more deeply than Python allows"):
        load_recipe("mprnet_tiny.denoise", [f"data.path={'[' * 2000}{']' * 2000}"])
