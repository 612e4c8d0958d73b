"""Reads and writes `.safetensors` files with torch and numpy alone."""
from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path
from typing import Dict, Mapping, Tuple, Union

import numpy as np
import torch
from torch import Tensor

_NUMPY = {'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'I64': '<i8', 'I32': '<i4', 'U8': 'u1'}
_NAMES = {torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16', torch.int64: 'I64', torch.int32: 'I32', torch.uint8: 'U8'}


def save(path: Union[str, Path], tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes the tensors in the given order, each in its own type; the file is there whole or not at all."""
    header: Dict[str, object] = {'__metadata__': dict(metadata)}
    offset = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES:
            raise ValueError(f'{name}: {tensor.dtype} cannot be stored')
        size = tensor.numel() * tensor.element_size()
        header[name] = {'dtype': _NAMES[tensor.dtype], 'shape': list(tensor.shape), 'data_offsets': [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    partial = Path(f'{path}.partial')
    with partial.open('wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        for tensor in tensors.values():
            array = tensor.detach().cpu().contiguous().numpy()
            file.write(array.astype(array.dtype.newbyteorder('<'), copy=False).tobytes())
    os.replace(partial, path)


def load(path: Union[str, Path]) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
    """The tensors and the `__metadata__` of a file. Raises ValueError if it is no such file."""
    data = Path(path).read_bytes()
    try:
        (length,) = struct.unpack_from('<Q', data)
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop('__metadata__', {})
        tensors = {}
        for name, entry in header.items():
            begin, end = entry['data_offsets']
            if entry['dtype'] not in _NUMPY:
                raise ValueError(f'{path}: {name} is of type {entry["dtype"]}; only {", ".join(_NUMPY)} can be read')
            dtype = np.dtype(_NUMPY[entry['dtype']])
            if end - begin != dtype.itemsize * math.prod(entry['shape']) or 8 + length + end > len(data):
                raise ValueError(f'{name}: its bytes are not those of its shape')
            array = np.frombuffer(data, dtype, math.prod(entry['shape']), 8 + length + begin)
            tensors[name] = torch.from_numpy(array.reshape(entry['shape']).astype(dtype.newbyteorder('=')))
    except (struct.error, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is no safetensors file: {error!r}') from error
    return tensors, metadata
