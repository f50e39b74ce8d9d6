-- KEYS: the list of dead letters. ARGV: how many are kept, and new ones. The newest is the first.
for i = 2, #ARGV do
  redis.call('LPUSH', KEYS[1], ARGV[i])
end
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
return #ARGV - 1
