"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Train a small network
#
# Any composed network trains like any PyTorch module. In a few dozen steps on crops of one photograph, this tiny one only learns to remove
# most of the noise; `restorekit train` does it properly, from a recipe.

# %%
import numpy as np
import torch

import restorekit
from restorekit.blocks import ChannelAttentionBlock
from restorekit.images import sample_photo, side_by_side
from restorekit.losses import charbonnier
from restorekit.metrics import psnr
from restorekit.stages import MultiStage, UNetStage

torch.manual_seed(0)
model = MultiStage([UNetStage((16, 24), ChannelAttentionBlock)])
photo = torch.from_numpy(sample_photo().copy()).permute(2, 0, 1) / 255
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for step in range(80):
    corners = torch.randint(0, 500 - 48, (8, 2)).tolist()
    clean = torch.stack([photo[:, y : y + 48, x : x + 48] for y, x in corners])
    noisy = clean + 25 / 255 * torch.randn_like(clean)
    loss = charbonnier(model(noisy), clean)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 19:
        print(f"step {step + 1}: loss {loss.item():.4f}")

# %%
clean = np.ascontiguousarray(sample_photo()[150:390, 150:390])
noisy = np.clip(clean + np.random.default_rng(0).normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
restored = restorekit.restore(model, noisy)
labels = [(noisy, f"noisy: {psnr(noisy, clean):.2f} dB"), (restored, f"restored: {psnr(restored, clean):.2f} dB"), (clean, "clean")]
side_by_side(labels)
