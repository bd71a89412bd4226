"""Language models over HTTP: providers in order, their limits, breakers and budgets, counted for a whole fleet."""
