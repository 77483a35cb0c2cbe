from . import book
from . import member
from . import loan
