"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Watch a network of stages at work
#
# MPRNet restores in three stages. Each gives an image; the later ones are better, and a network can be stopped early to save time.

# %%
import numpy as np

import restorekit
from restorekit.data import create_degradation, degrade
from restorekit.images import sample_photo, side_by_side
from restorekit.metrics import psnr

clean = np.ascontiguousarray(sample_photo()[150:390, 150:390])
rainy = degrade(clean, create_degradation(name="rain"), seed=2, index=0)
model = restorekit.create_model("mprnet_tiny.derain", pretrained=True)
panels = [(rainy, f"rainy: {psnr(rainy, clean):.2f} dB")]
for stages in (1, 2, 3):
    restored = restorekit.restore(model, rainy, stages=stages)
    panels.append((restored, f"stage {stages}: {psnr(restored, clean):.2f} dB"))
side_by_side(panels)
