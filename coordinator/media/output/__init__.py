"""What is written: cuts, normal forms and exports, from what the other rooms give. Nothing but the child imports it."""
