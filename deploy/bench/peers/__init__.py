"""What a bench is compared with: programs that import nothing of ours, written as their own documentation advises."""
