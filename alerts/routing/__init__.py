"""Who of the staff hears of what, when, and whom after how long."""
