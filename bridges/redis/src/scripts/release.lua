-- KEYS: the lease. ARGV: whose, and where all who listen are told that it is free.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[2], 'left ' .. ARGV[1])
end
return 0
