"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Choose the strength
#
# Noise and faint texture look alike. `strength` says how much of the restoration to apply: 1 is what the network proposes, 0.5 keeps half of
# the noise and of the texture.

# %%
import numpy as np

import restorekit
from restorekit.images import noisy_photo, side_by_side

noisy = np.ascontiguousarray(noisy_photo()[90:330, 280:520])
model = restorekit.create_model("nafnet_tiny.denoise", pretrained=True)
panels = [(noisy, "photograph")]
panels += [(restorekit.restore(model, noisy, strength=strength), f"strength {strength}") for strength in (0.5, 1.0)]
side_by_side(panels)

# %% [markdown]
# In the shell: `restorekit restore photo.jpg --strength 0.5`.
