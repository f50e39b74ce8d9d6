-- KEYS: until when each user is taken for online. ARGV: the node, how the keys of users' nodes begin, for how many
-- milliseconds the last word about somebody is kept, and the users. Who is on another node stays.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 4, #ARGV do
  local user = ARGV[i]
  local nodes, status = ARGV[2] .. user, 'user:' .. user .. ':status'
  redis.call('ZREM', nodes, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', nodes, '-inf', now)
  if redis.call('ZCARD', nodes) == 0 then
    redis.call('ZREM', KEYS[1], user)
    redis.call('SREM', 'online_users', user)
    redis.call('HSET', status, 'status', 'offline', 'last_seen', time[1], 'updated_at', time[1])
    redis.call('PEXPIRE', status, ARGV[3])
  end
end
return #ARGV - 3
