"""A sentence or two in each of the languages of the region."""

from __future__ import annotations

RU = (
    "Собрание жильцов нашего дома состоится в среду вечером, после работы. Мы обсудим ремонт "
    "крыши, новую детскую площадку и уборку двора. Если вы не можете прийти, напишите соседям "
    "заранее, чтобы ваш голос тоже был учтён. Объявление просим не срывать до конца недели, "
    "спасибо за понимание и терпение! "
)

UK = (
    "Збори мешканців нашого будинку відбудуться в середу ввечері, після роботи. Ми обговоримо "
    "ремонт даху, новий дитячий майданчик і прибирання подвір'я. Якщо ви не зможете прийти, "
    "напишіть сусідам заздалегідь, щоб і ваш голос було враховано. Її ґанок теж полагодять, "
    "є вже й гроші на це. "
)

BE = (
    "Сход жыхароў нашага дома адбудзецца ў сераду ўвечары, пасля працы. Мы абмяркуем рамонт "
    "даху, новую дзіцячую пляцоўку і прыбіранне двара. Калі вы не зможаце прыйсці, напішыце "
    "суседзям загадзя, каб і ваш голас быў улічаны. Аб'яву просім не зрываць да канца тыдня, "
    "дзякуй за разуменне! "
)

KK = (
    "Біздің үйдің тұрғындарының жиналысы сәрсенбі күні кешке, жұмыстан кейін өтеді. Біз шатырды "
    "жөндеуді, жаңа балалар алаңын және ауланы тазалауды талқылаймыз. Егер келе алмасаңыз, "
    "көршілерге алдын ала жазыңыз, сонда сіздің даусыңыз да ескеріледі. Түсіністік "
    "танытқаныңыз үшін рақмет, ғимарат һәм қора бәріміздікі! "
)

TG = (
    "Маҷлиси сокинони хонаи мо рӯзи чоршанбе бегоҳӣ, баъди кор баргузор мешавад. Мо таъмири "
    "бом, майдончаи нави кӯдакон ва тоза кардани ҳавлиро муҳокима мекунем. Агар омада "
    "натавонед, ба ҳамсояҳо пешакӣ нависед, то ки овози шумо низ ба назар гирифта шавад. "
    "Ташаккур барои фаҳмиш ва ғамхорӣ, дӯстони қадрдон! "
)

TT = (
    "Йортыбызда яшәүчеләрнең җыелышы чәршәмбе көнне кич белән, эштән соң була. Түбәне төзәтү, "
    "балалар өчен яңа мәйданчык һәм ишегалдын җыештыру турында сөйләшербез. Килә алмасагыз, "
    "күршеләрегезгә алдан языгыз, шулай итеп сезнең тавышыгыз да исәпкә алыныр. Рәхмәт! "
)

KY = (
    "Үйүбүздүн тургундарынын чогулушу шаршемби күнү кечинде, жумуштан кийин өтөт. Чатырды оңдоону, "
    "балдар үчүн жаңы аянтчаны жана короону тазалоону сүйлөшөбүз. Эгер келе албасаңыз, "
    "коңшуларыңызга алдын ала жазып коюңуз. Түшүнгөнүңүз үчүн ыраазычылык билдиребиз! "
)

BA = (
    "Йортобоҙҙа йәшәүселәрҙең йыйылышы шаршамбы көнө кис, эштән һуң була. Ҡыйыҡты төҙәтеү, балалар "
    "өсөн яңы майҙансыҡ һәм ихатаны таҙартыу тураһында һөйләшәсәкбеҙ. Килә алмаһағыҙ, "
    "күршеләрегеҙгә алдан яҙығыҙ, шулай итеп һеҙҙең тауышығыҙ ҙа иҫәпкә алыныр. Рәхмәт! "
)

AZ = (
    "Evimizin sakinlərinin yığıncağı çərşənbə günü axşam, işdən sonra keçiriləcək. Damın təmirini, "
    "uşaqlar üçün yeni meydançanı və həyətin təmizlənməsini müzakirə edəcəyik. Gələ bilmirsinizsə, "
    "qonşularınıza əvvəlcədən yazın. Anlayışınız üçün təşəkkür edirik! "
).translate(str.maketrans("əƏ", "äÄ"))

ET = (
    "Meie maja elanike koosolek toimub kolmapäeva õhtul pärast tööd. Räägime katuse "
    "parandamisest, uuest mänguväljakust ja hoovi koristamisest. Kui te ei saa tulla, kirjutage "
    "naabritele ette, et ka teie häält kuulda võetaks. Šeff Žanna küpsetab külalistele "
    "õunakooki, täname mõistmise eest! "
)

LV = (
    "Mūsu mājas iedzīvotāju sapulce notiks trešdien vakarā pēc darba. Apspriedīsim jumta remontu, "
    "jauno bērnu laukumu un pagalma uzkopšanu. Ja nevarat atnākt, rakstiet kaimiņiem iepriekš, "
    "lai arī jūsu balss tiktu ņemta vērā. Paldies par sapratni un pacietību, mīļie ļaudis! "
)

LT = (
    "Mūsų namo gyventojų susirinkimas įvyks trečiadienį vakare, po darbo. Aptarsime stogo "
    "remontą, naują vaikų žaidimų aikštelę ir kiemo tvarkymą. Jeigu negalite ateiti, iš anksto "
    "parašykite kaimynams, kad ir jūsų balsas būtų įskaitytas. Ačiū už supratimą ir kantrybę, "
    "mieli žmonės, iki greito pasimatymo šį ąžuolų kiemą! "
)

RO = (
    "Adunarea locatarilor din casa noastră va avea loc miercuri seara, după lucru. Vom discuta "
    "reparaţia acoperişului, noul teren de joacă şi curăţenia în curte. Dacă nu puteţi veni, "
    "scrieţi vecinilor din timp, ca şi părerea dumneavoastră să fie auzită. Vă mulţumim! "
)

TR = (
    "Apartman sakinlerinin toplantısı çarşamba akşamı işten sonra yapılacak. Çatının onarımını, "
    "yeni çocuk parkını ve bahçenin temizliğini konuşacağız. Gelemeyecekseniz komşulara "
    "önceden yazın ki sizin oyunuz da sayılsın. Anlayışınız ve sabrınız için teşekkür ederiz, "
    "görüşmek üzere, iyi günler dileriz! "
)
