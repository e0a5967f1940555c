"""Colour profiles: from CMYK to sRGB."""

import io
import struct

from PIL import Image, features

MADE = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)  # a fixed time in the sRGB profile, so that results do not depend on the time


def cmyk_to_srgb(image: Image.Image) -> Image.Image:
    """Return a CMYK image as RGB with an sRGB profile, using the colour profile of the image.

    Raises:
        ValueError: if the profile is not for CMYK, or this Pillow was built without LittleCMS.
    """
    if not features.check("littlecms2"):
        raise ValueError("it is a CMYK image, and this Pillow was built without LittleCMS; convert it to RGB first")
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])),
            srgb,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ImageCms.PyCMSError) as error:
        raise ValueError(f"it is a CMYK image whose colour profile cannot be used ({error}); convert it to RGB first") from error
    assert converted is not None  # it is None only when the image is changed in place
    converted.info["icc_profile"] = srgb_profile()
    return converted


def srgb_profile() -> bytes:
    """Return a colour profile of sRGB that is always the same."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + MADE + profile[36:]
