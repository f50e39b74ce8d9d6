-- KEYS: the lease. ARGV: whose, for how many milliseconds, and where all who listen are told that it is theirs.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return math.max(redis.call('PTTL', KEYS[1]), 1)
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if not holder then
  redis.call('PUBLISH', ARGV[3], 'took ' .. ARGV[1])
end
return 0
