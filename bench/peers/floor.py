"""The floor: wrk alone against the mirror. Its own processor time is what a bare client needs for a request."""
from .base import Base


class Peer(Base):
    key, name, sides = "floor", "wrk alone against the mirror", ("floor",)

    def missing(self):
        return self.lab.without_tool("wrk")

    def start(self, setup):
        self.mirror = setup.mirrors[0]

    def url(self, side):
        return self.mirror + "/mirrored/x"

    def pids(self):
        return []
