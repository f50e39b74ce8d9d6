-- KEYS: 1 the claim. ARGV: token, how long its number is remembered in ms.
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'by', 'lease')
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return { 'released' }
