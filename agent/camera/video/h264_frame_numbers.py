"""Finds frames of H.264 that were lost as a whole, by their numbers: the decoder hides it. Pure.

Numbers of the fields are those of ITU-T H.264, sections 7.3.2.1 and 7.3.3.
"""

import re

_START_CODE = re.compile(b"\x00\x00\x01")
_SLICE, _IDR_SLICE, _SEQUENCE = 1, 5, 7  # types of NAL units
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
_SEPARATE_PLANES = 3  # chroma_format_idc
_HEADER_BYTES = 32  # of a slice; its number lies in the first 20
_SEQUENCE_BYTES = 512
_MOST_ZEROS = 32
_MOST_CYCLES = 255


class FrameNumbers:
    """Follows `frame_num` through a stream in the byte stream format (annex B)."""

    def __init__(self) -> None:
        self._bits = 0  # of frame_num; 0 until a sequence parameter set was read
        self._planes = False  # the slice header has a colour_plane_id
        self._gaps_allowed = False
        self._reference: int | None = None  # frame_num of the latest reference frame

    def is_gap(self, data: bytes) -> bool:
        """Take the next packet, one frame; return whether a reference frame before it is lost."""
        gap = False
        for start in _START_CODE.finditer(data):
            at = start.end()
            if at >= len(data):
                break
            kind, importance = data[at] & 31, data[at] >> 5 & 3
            try:
                if kind == _SEQUENCE:
                    self._read_sequence(_Bits(data[at + 1 : at + _SEQUENCE_BYTES]))
                elif kind in {_SLICE, _IDR_SLICE} and self._bits:
                    number = self._number(_Bits(data[at + 1 : at + _HEADER_BYTES]))
                    gap = gap or self._follows_gap(number, is_idr=kind == _IDR_SLICE)
                    if importance:
                        self._reference = number
            except (IndexError, ValueError):  # damaged; the decoder tells it
                continue
        return gap

    def _follows_gap(self, number: int, *, is_idr: bool) -> bool:
        if is_idr or self._reference is None or self._gaps_allowed:
            return False
        return number not in {self._reference, (self._reference + 1) % (1 << self._bits)}

    def _number(self, bits: "_Bits") -> int:
        for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
            bits.exp_golomb()
        if self._planes:
            bits.read(2)
        return bits.read(self._bits)

    def _read_sequence(self, bits: "_Bits") -> None:
        profile = bits.read(8)
        bits.read(16)  # constraints and level
        bits.exp_golomb()  # seq_parameter_set_id
        self._planes = profile in _HIGH_PROFILES and _read_chroma(bits)
        self._bits = bits.exp_golomb() + 4
        kind = bits.exp_golomb()  # pic_order_cnt_type
        if kind == 0:
            bits.exp_golomb()
        elif kind == 1:
            bits.read(1)
            bits.exp_golomb()
            bits.exp_golomb()
            for _ in range(min(bits.exp_golomb(), _MOST_CYCLES)):
                bits.exp_golomb()
        bits.exp_golomb()  # max_num_ref_frames
        self._gaps_allowed = bool(bits.read(1))


def _read_chroma(bits: "_Bits") -> bool:
    """Read the fields of the high profiles; return whether planes are coded separately."""
    chroma = bits.exp_golomb()
    planes = chroma == _SEPARATE_PLANES and bool(bits.read(1))
    bits.exp_golomb()  # bit depths
    bits.exp_golomb()
    bits.read(1)
    if bits.read(1):  # seq_scaling_matrix_present_flag
        for n in range(12 if chroma == _SEPARATE_PLANES else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if n < 6 else 64)  # noqa: PLR2004  six of 4x4
    return planes


def _skip_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.exp_golomb()
            delta = (code + 1) // 2 if code % 2 else -(code // 2)
            following = (last + delta) % 256
        last = following or last


class _Bits:
    """The bits of a NAL unit, without emulation prevention bytes."""

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(plain)
        self._left = 8 * len(plain)

    def read(self, count: int) -> int:
        """Return the next `count` bits; raises IndexError at the end."""
        if count > self._left:
            raise IndexError(count)
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def exp_golomb(self) -> int:
        """Return the next ue(v); raises IndexError at the end, ValueError for a damaged one."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise ValueError(zeros)
        return (1 << zeros) - 1 + self.read(zeros)
