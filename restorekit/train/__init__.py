"""Training: recipes and the loop."""

from restorekit.train import losses
from restorekit.train._build import AllStages, build_model, build_optimizer, build_schedule, stage_losses
from restorekit.train._guard import Guard
from restorekit.train._loop import part_company, train
from restorekit.train._recipe import WITHOUT_EFFECT, LossRecipe, LossTerm, Recipe
from restorekit.train._recipe_files import differences, list_recipes, load_recipe, recipe_from, to_toml
from restorekit.train._run import Run
from restorekit.train._sources import degradation_of, mixed, open_data
from restorekit.train._tuning import checkpoint_blocks, freeze, learning_groups

__all__ = [
    "WITHOUT_EFFECT",
    "AllStages",
    "Guard",
    "LossRecipe",
    "LossTerm",
    "Recipe",
    "Run",
    "build_model",
    "build_optimizer",
    "build_schedule",
    "checkpoint_blocks",
    "degradation_of",
    "differences",
    "freeze",
    "learning_groups",
    "list_recipes",
    "load_recipe",
    "losses",
    "mixed",
    "open_data",
    "part_company",
    "recipe_from",
    "stage_losses",
    "to_toml",
    "train",
]

__dir__ = __all__.copy
