-- KEYS: 1 who is here, 2 what this lease put into the slice. ARGV: field, value or '', what 2 says of it, PUBLISH or
-- SPUBLISH, channel, news.
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('SREM', KEYS[2], ARGV[3])
else
  redis.call('SADD', KEYS[2], ARGV[3])
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
redis.call(ARGV[4], ARGV[5], ARGV[6])
return { 'told' }
