"""An example of the gallery; docs/gallery.py runs it."""

# %% [markdown]
# # Compose a network, and draw it
#
# A U-Net on four patches, then a stage at the original resolution. `MultiStage` builds the modules between them, and checks that all fits.

# %%
from pathlib import Path

from restorekit.blocks import ChannelAttentionBlock
from restorekit.inspection import draw, inspect_model
from restorekit.stages import MultiStage, ORSNetStage, UNetStage

model = MultiStage(
    [
        UNetStage((16, 24, 32), ChannelAttentionBlock),
        ORSNetStage(24, ChannelAttentionBlock, num_blocks=2, guided=True),
    ],
    grids=[(2, 2), (1, 1)],
)
costs = inspect_model(model)
print(f"{costs.parameters:,} parameters, {costs.macs / 1e9:.1f} GMACs for 256 x 256 pixels")

# %%
draw(model, "wiring.svg", title="Two stages")
Path("wiring.svg")
