-- KEYS: until when each user is taken for online. ARGV: for how many milliseconds that held, for how many the last word is
-- kept, and how many users at most. Those of whom no node has said for so long that they are here.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local users = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #users, 2 do
  local user, status = users[i], 'user:' .. users[i] .. ':status'
  local seen = math.floor((users[i + 1] - ARGV[1]) / 1000)
  redis.call('ZREM', KEYS[1], user)
  redis.call('SREM', 'online_users', user)
  redis.call('HSET', status, 'status', 'offline', 'last_seen', seen, 'updated_at', time[1])
  redis.call('PEXPIRE', status, ARGV[2])
end
return #users / 2
