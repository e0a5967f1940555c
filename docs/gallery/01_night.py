"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Remove the noise of a camera
#
# `nafnet_tiny.denoise` removes the noise of cameras, without being told how strong it is. This photograph was taken at night, and comes with
# the package.

# %%
import numpy as np
from PIL import Image

import restorekit
from restorekit.images import noisy_photo

noisy = noisy_photo()
model = restorekit.create_model("nafnet_tiny.denoise", pretrained=True)
restored = restorekit.restore(model, noisy)

# %% [markdown]
# Above as the camera left it, below restored:

# %%
Image.fromarray(np.vstack([noisy[80:360], restored[80:360]]))

# %% [markdown]
# The difference, eight times as strong, shows what was removed. It should look like noise; edges in it are details that were lost.

# %%
difference = (restored.astype(int) - noisy)[80:360]
Image.fromarray(np.clip(128 + 8 * difference, 0, 255).astype(np.uint8))
