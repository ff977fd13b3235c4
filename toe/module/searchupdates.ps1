# Lists the updates that this machine's update source has for it, as JSON.
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
$session = New-Object -ComObject Microsoft.Update.Session
$found = $session.CreateUpdateSearcher().Search('IsInstalled=0 and IsHidden=0').Updates
$list = @($found | ForEach-Object { @{ id = $_.Identity.UpdateID; title = $_.Title; kb = @($_.KBArticleIDs) } })
ConvertTo-Json -InputObject $list -Compress -Depth 3
