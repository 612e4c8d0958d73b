"""CompConv for PyTorch: the module, converters, networks, costs, and the engine's file format."""
from .channels import adaptive_depth
from .convert import convert
from .count import Cost, count
from .module import CompConv2d
from .networks import ARCHITECTURES, NetworkOptions, create_network

__all__ = ['ARCHITECTURES', 'CompConv2d', 'Cost', 'NetworkOptions', 'adaptive_depth', 'convert', 'count', 'create_network']
