"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Degrade photographs for training
#
# A denoiser learns from clean photographs and degradations that resemble those of real cameras. Each sample depends on seed and index
# alone, so training can be repeated exactly.

# %%
import numpy as np

from restorekit.data import create_degradation, degrade
from restorekit.images import contact_sheet, sample_photo

clean = np.ascontiguousarray(sample_photo()[150:350, 150:350])
kinds = ("gaussian", "camera", "motion_blur", "defocus", "rain", "jpeg")
panels = [(degrade(clean, create_degradation(name=kind), seed=1, index=0), kind) for kind in kinds]
contact_sheet([panels[:3], panels[3:]])
