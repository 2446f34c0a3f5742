"""What can go wrong with the stack.

StackError
├── BuildError       a server could not be built: the log's path is in the message
├── ToolMissingError something that the build needs is not on this machine
├── PortTakenError   another program listens where a server should
├── StartError       a server ended, or did not become ready in time
└── AnswerError      a server answered a query with something unexpected
"""


class StackError(Exception):
    """Base of everything below; its text is one line that says what to do, then, for some, a log's end."""


class BuildError(StackError):
    """A server could not be built."""


class ToolMissingError(StackError):
    """Something that the build needs is not on this machine."""


class PortTakenError(StackError):
    """Another program listens on a port that a server needs."""


class StartError(StackError):
    """A server ended by itself, or did not become ready in time."""


class AnswerError(StackError):
    """A server answered a query with something unexpected."""
