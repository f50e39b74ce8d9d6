-- KEYS: the record up to which a room's members were last written. ARGV: the epoch and the offset that what is written now
-- knows at least, for how many milliseconds that is kept, the room, and its members. Who knows less than what stands there
-- writes nothing: 0.
local told = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
if told[1] == ARGV[1] and tonumber(told[2]) > tonumber(ARGV[2]) then
  return 0
end
local set, is_member = 'channel:' .. ARGV[4] .. ':members', {}
for i = 5, #ARGV do
  is_member[ARGV[i]] = true
end
for _, user in ipairs(redis.call('SMEMBERS', set)) do
  if not is_member[user] then
    redis.call('SREM', set, user)
    redis.call('SREM', 'user:' .. user .. ':channels', ARGV[4])
  end
end
for i = 5, #ARGV do
  redis.call('SADD', set, ARGV[i])
  redis.call('SADD', 'user:' .. ARGV[i] .. ':channels', ARGV[4])
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'offset', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
