-- KEYS: 1 the claim, 2 what this lease put into the slice. ARGV: who, the number of their lease, what 2 says of it.
local time = redis.call('TIME')
local held = redis.call('HMGET', KEYS[1], 'by', 'lease', 'token')
-- Tokens grow although a released claim is forgotten in the end.
local token = math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(held[3] or '0') + 1)
token = string.format('%.0f', token)
redis.call('HSET', KEYS[1], 'by', ARGV[1], 'lease', ARGV[2], 'token', token)
redis.call('PERSIST', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[3])
return { token, held[1] or '', held[2] or '', held[3] or '' }
