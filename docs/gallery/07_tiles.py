"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Restore large images in tiles
#
# An image that does not fit in memory is restored in tiles that overlap and are blended. Does that change the result? The picture shows the
# difference to the whole image, a hundred times as strong: there are no seams.

# %%
import numpy as np
from PIL import Image

import restorekit
from restorekit.images import noisy_photo

noisy = noisy_photo()
model = restorekit.create_model("nafnet_tiny.denoise", pretrained=True)
whole = restorekit.restore(model, noisy, tile=None).astype(int)
tiled = restorekit.restore(model, noisy, tile=256).astype(int)
print(f"largest difference: {abs(whole - tiled).max()} of 255; mean: {abs(whole - tiled).mean():.3f}")
Image.fromarray(np.clip(100 * abs(whole - tiled), 0, 255).astype(np.uint8))
