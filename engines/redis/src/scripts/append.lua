-- KEYS 5: due. ARGV: epoch, offset, check, guarded, due or '', the room's name, PUBLISH or SPUBLISH, channel, the news'
-- beginning, the number of parcels; and each: its key, how many records, and of each its hash and its data.
local room, why = load_room()
if not room then return { why == 'damaged' and 'lost' or why } end
local seen = tonumber(ARGV[2])
local verdict = past(room, ARGV[1], seen, tonumber(ARGV[3]))
if verdict ~= 'mine' then return { verdict } end

-- Which keys came after what was seen. Nearly always nothing did; who is far behind reads first.
local SCAN_MAX, SCAN_BYTES_MAX = 1024, 4194304
local known, scanned, bytes, after = {}, 0, 0, seen
while after < room.head do
  local some = after_of(room, after, 64)
  if not some then return { 'lost' } end
  for _, entry in ipairs(some) do
    after = after + 1
    local key = entry[2][2]
    known[key] = known[key] or after
    bytes = bytes + #entry[2][4]
  end
  scanned = scanned + #some
  if after < room.head and (scanned >= SCAN_MAX or bytes >= SCAN_BYTES_MAX) then return { 'behind' } end
end

local parcels, at, all_known = {}, 11, true
for _ = 1, tonumber(ARGV[10]) do
  local key, count = ARGV[at], tonumber(ARGV[at + 1])
  parcels[#parcels + 1] = { key = key, from = at + 2, count = count }
  all_known = all_known and known[key] ~= nil
  at = at + 2 + 2 * count
end
if ARGV[4] == '1' and seen ~= room.head and not all_known then
  return { 'conflict', room.epoch, text(room.head) }
end

local answer, news = { 'stored', room.epoch, '' }, {}
for _, parcel in ipairs(parcels) do
  local before = known[parcel.key]
  if before then
    answer[#answer + 1] = '-' .. text(before)
  else
    answer[#answer + 1] = text(room.head + 1)
    for number = 0, parcel.count - 1 do
      local hash, data = ARGV[parcel.from + 2 * number], ARGV[parcel.from + 2 * number + 1]
      room.head = room.head + 1
      room.check = (room.check * FACTOR + tonumber(hash)) % PRIME
      redis.call('XADD', KEYS[2], text(room.head) .. '-0', 'k', parcel.key, 'd', data, 'c', text(room.check))
      news[#news + 1] = text(room.head) .. ' ' .. #parcel.key .. ' ' .. #data .. '\n' .. parcel.key .. data
    end
  end
end
answer[3] = text(room.head)
if #news > 0 then
  if room.untouched then
    redis.call('HSET', KEYS[1], 'epoch', room.epoch, 'base', '0', 'base_check', '0')
  end
  redis.call('HSET', KEYS[1], 'head', text(room.head), 'check', text(room.check))
  if ARGV[5] ~= '' then redis.call('ZADD', KEYS[5], ARGV[5], ARGV[6]) end
  redis.call(ARGV[7], ARGV[8], ARGV[9] .. #news .. '\n' .. table.concat(news))
  answer[1] = 'grown'
end
return answer
