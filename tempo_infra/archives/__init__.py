"""Images as files: what `docker save` wrote is read strictly, and packed for hosts that lack it."""

from tempo_infra.archives.parcel import Packing, Parcel
from tempo_infra.archives.saved import Image, Saved

__all__ = ["Image", "Packing", "Parcel", "Saved"]
