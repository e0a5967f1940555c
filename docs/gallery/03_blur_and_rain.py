"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Remove blur and rain
#
# Other weights for other degradations. Here, they are added to a clean photograph, so that PSNR can say how much is gained.

# %%
import numpy as np

import restorekit
from restorekit.data import create_degradation, degrade
from restorekit.images import contact_sheet, sample_photo
from restorekit.metrics import psnr

clean = np.ascontiguousarray(sample_photo()[130:370, 130:450])
rows = []
for name, given in (("mprnet_tiny.deblur", {"name": "defocus", "radius": 1.5}), ("nafnet_tiny.derain", {"name": "rain"})):
    degraded = degrade(clean, create_degradation(**given), seed=0, index=0)
    restored = restorekit.restore(restorekit.create_model(name, pretrained=True), degraded)
    print(f"{name}: {psnr(degraded, clean):.2f} -> {psnr(restored, clean):.2f} dB")
    rows.append([(clean, "clean"), (degraded, given["name"]), (restored, name)])
contact_sheet(rows)
