package swap
