"""Run any command, stream its lines, stop it. Knows nothing of kohya."""

from kohya_wrap.launch.types import LaunchPlan, Outcome, OutputLine

__all__ = ["LaunchPlan", "Outcome", "OutputLine"]
