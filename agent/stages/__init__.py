"""One plain function a stage. Each composes rooms, asks the journal first and writes facts, so each can run twice."""
