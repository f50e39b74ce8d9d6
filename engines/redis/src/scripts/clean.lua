-- Takes away what an ended lease has left in a slice, some at a time; again is harmless. KEYS: 1 what it put there.
-- ARGV: the lease's number, how the slice's keys begin, how many, how long a claim's number is remembered in ms.
local some = redis.call('SPOP', KEYS[1], ARGV[3])
for _, left in ipairs(some) do
  local length, rest = string.match(left, '^p(%d+) (.*)$')
  if length then
    local room, user = string.sub(rest, 1, tonumber(length)), string.sub(rest, tonumber(length) + 1)
    redis.call('HDEL', ARGV[2] .. 'here:' .. room, ARGV[1] .. ' ' .. user)
  else
    local claim = ARGV[2] .. 'claim:' .. string.sub(left, 2)
    if redis.call('HGET', claim, 'lease') == ARGV[1] then
      redis.call('HDEL', claim, 'by', 'lease')
      redis.call('PEXPIRE', claim, ARGV[4])
    end
  end
end
return #some
